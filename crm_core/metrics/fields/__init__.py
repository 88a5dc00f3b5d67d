"""The fields of each noun, declared once: what can be filtered, grouped, sorted, shown and asked for.

A *shape* (``shape``) is a root table with the joins that its fields need. Lists and metrics compile against the
same fields, so a filter means the same in both. ``columns`` are the pieces that declarations are made of,
``parties`` and ``work`` declare the nouns, ``facts`` the tables that only metrics stand on. Custom fields join the
shape at question time, from the database (``lookup``). ``synonyms`` are the words of the trade for a field; the
company's own words for its values are data.
"""

from crm_core.metrics.fields.facts import ENTRY_STAGE
from crm_core.metrics.fields.lookup import NOUN_SHAPES, custom_fields, field_of, priority_rank, shape_for
from crm_core.metrics.fields.parties import CUSTOMER_DAYS, customer_at
from crm_core.metrics.fields.shape import Field, Kind, Shape

__all__ = [
    "CUSTOMER_DAYS",
    "ENTRY_STAGE",
    "NOUN_SHAPES",
    "Field",
    "Kind",
    "Shape",
    "custom_fields",
    "customer_at",
    "field_of",
    "priority_rank",
    "shape_for",
]
