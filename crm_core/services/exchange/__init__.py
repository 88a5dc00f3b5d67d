"""Import of CSV files: columns to fields, a dry run with reasons, idempotent by external id, all or nothing.

``reading`` turns bytes into rows with their line numbers; ``mapping`` says which foreign file and column is which
of ours; ``loading`` turns rows into records and counts; ``importing`` runs a whole directory in one transaction.
``docs/import.md`` lists the columns.
"""

from crm_core.services.exchange.importing import ImportOptions, ImportReport, import_directory
from crm_core.services.exchange.mapping import Mapping, load_mapping

__all__ = ["ImportOptions", "ImportReport", "Mapping", "import_directory", "load_mapping"]
