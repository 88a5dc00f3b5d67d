"""The verbs: all that can be done.

One deep module per capability; each verb is ``verb_noun(ctx, args) -> result`` with a typed argument model.
``records`` holds what all verbs share (loading with rights, versions, validation), ``search`` finds records
and keeps the derived text, ``catalog`` is the closed list of everything a door may offer.
"""

from crm_core.services import (
    search as search,  # registers the derivers that keep search keys and passages
)
