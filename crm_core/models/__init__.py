"""The nouns: every table of the product."""

from crm_core.models.base import Base, Noun
from crm_core.models.fulltext import create_fulltext
from crm_core.models.interactions import (
    ACTIVITY_KINDS,
    Activity,
    ActivityParticipant,
    Chunk,
    SearchEntry,
    Ticket,
)
from crm_core.models.ledgers import (
    ApiKey,
    ChangeSet,
    Event,
    IdempotencyKey,
    InboundEvent,
    Thread,
    Turn,
    WebSession,
)
from crm_core.models.organisation import (
    ROLES,
    SCOPES,
    CustomField,
    Document,
    ExchangeRate,
    FileReference,
    Grant,
    Organisation,
    PicklistValue,
    Target,
    TaughtWord,
    Team,
    User,
)
from crm_core.models.people import Company, Contact, Employment, Lead
from crm_core.models.selling import (
    CloseDateChange,
    Deal,
    DealContact,
    LineItem,
    Pipeline,
    Price,
    Product,
    Stage,
    StageEntry,
)

#: Every noun by its name, the vocabulary of rights, search, import and the assistant.
NOUNS: dict[str, type[Noun]] = {model.__noun__: model for model in (Company, Contact, Lead, Deal, Ticket, Activity, Product, User)}

__all__ = [
    "ACTIVITY_KINDS",
    "NOUNS",
    "ROLES",
    "SCOPES",
    "Activity",
    "ActivityParticipant",
    "ApiKey",
    "Base",
    "ChangeSet",
    "Chunk",
    "CloseDateChange",
    "Company",
    "Contact",
    "CustomField",
    "Deal",
    "DealContact",
    "Document",
    "Employment",
    "Event",
    "ExchangeRate",
    "FileReference",
    "Grant",
    "IdempotencyKey",
    "InboundEvent",
    "Lead",
    "LineItem",
    "Noun",
    "Organisation",
    "PicklistValue",
    "Pipeline",
    "Price",
    "Product",
    "SearchEntry",
    "Stage",
    "StageEntry",
    "Target",
    "TaughtWord",
    "Team",
    "Thread",
    "Ticket",
    "create_fulltext",
    "Turn",
    "User",
    "WebSession",
]
