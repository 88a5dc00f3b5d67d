"""Kinds of companies: their own words for stages, products, choices and custom fields."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class StageSpec:
    """A stage: name, chance of winning in percent, kind, mean days that a deal stays."""

    name: str
    probability: int
    kind: str = "open"
    days: float = 14.0


@dataclass(frozen=True)
class ProductSpec:
    """A product: name, code, family, list price in whole home-currency units."""

    name: str
    code: str
    family: str
    price: int


@dataclass(frozen=True)
class CustomSpec:
    """A custom field and, for choices, its values."""

    noun: str
    key: str
    label: str
    kind: str
    choices: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """The words of one company."""

    name: str
    company: str
    home_currency: str
    timezone: str
    fiscal_start_month: int
    phone_region: str
    rates: dict[str, float]
    teams: tuple[tuple[str, str], ...]  # (team, region it sells to)
    pipelines: dict[str, tuple[StageSpec, ...]]
    products: tuple[ProductSpec, ...]
    industries: tuple[str, ...]
    regions: dict[str, tuple[tuple[str, str], ...]]  # region -> (city, country)
    sources: tuple[str, ...]
    loss_reasons: tuple[str, ...]
    forecast_categories: tuple[tuple[str, str], ...]  # (word, kind)
    lead_statuses: tuple[tuple[str, str], ...]
    ticket_statuses: tuple[tuple[str, str], ...]
    priorities: tuple[str, ...]
    ticket_categories: tuple[str, ...]
    outcomes: tuple[str, ...]
    competitors: tuple[str, ...]
    custom: tuple[CustomSpec, ...] = field(default_factory=tuple)


SOFTWARE = Profile(
    name="software",
    company="Lumenway",
    home_currency="USD",
    timezone="America/New_York",
    fiscal_start_month=1,
    phone_region="US",
    rates={"EUR": 1.09, "GBP": 1.27},
    teams=(("North America", "North America"), ("EMEA", "EMEA"), ("APAC", "APAC")),
    pipelines={
        "New business": (
            StageSpec("Qualification", 10, days=12),
            StageSpec("Discovery", 25, days=18),
            StageSpec("Demo", 40, days=14),
            StageSpec("Proposal", 60, days=17),
            StageSpec("Negotiation", 80, days=15),
            StageSpec("Closed Won", 100, "won"),
            StageSpec("Closed Lost", 0, "lost"),
        ),
        "Renewals": (
            StageSpec("Upcoming", 70, days=30),
            StageSpec("In review", 80, days=20),
            StageSpec("Verbal yes", 95, days=10),
            StageSpec("Renewed", 100, "won"),
            StageSpec("Churned", 0, "lost"),
        ),
    },
    products=(
        ProductSpec("Insight Core", "INS-100", "Analytics", 12_000),
        ProductSpec("Insight Enterprise", "INS-300", "Analytics", 48_000),
        ProductSpec("Flow Automations", "FLW-100", "Automation", 9_000),
        ProductSpec("Flow Connect", "FLW-200", "Automation", 15_500),
        ProductSpec("Guard Audit", "GRD-100", "Security", 7_500),
        ProductSpec("Guard SSO", "GRD-200", "Security", 4_200),
        ProductSpec("Onboarding Package", "SRV-010", "Services", 6_000),
        ProductSpec("Premium Support", "SRV-020", "Services", 8_400),
    ),
    industries=("Manufacturing", "Healthcare", "Retail", "Financial Services", "Logistics", "Education", "Energy", "Media"),
    regions={
        "North America": (
            ("Boston", "United States"),
            ("Denver", "United States"),
            ("Austin", "United States"),
            ("Toronto", "Canada"),
            ("Chicago", "United States"),
        ),
        "EMEA": (("Berlin", "Germany"), ("Lyon", "France"), ("Leeds", "United Kingdom"), ("Malmö", "Sweden"), ("Porto", "Portugal")),
        "APAC": (("Osaka", "Japan"), ("Brisbane", "Australia"), ("Singapore", "Singapore"), ("Pune", "India")),
    },
    sources=("Website", "Referral", "Trade show", "Outbound", "Partner", "Webinar"),
    loss_reasons=("Price", "Went with competitor", "No budget", "No decision", "Missing feature", "Timing"),
    forecast_categories=(("Commit", "commit"), ("Best case", "best_case"), ("Pipeline", "pipeline"), ("Omitted", "omitted")),
    lead_statuses=(("New", "open"), ("Contacted", "open"), ("Qualified", "open"), ("Converted", "converted"), ("Disqualified", "closed")),
    ticket_statuses=(("New", "open"), ("In progress", "open"), ("Waiting on customer", "open"), ("Resolved", "resolved"), ("Closed", "resolved")),
    priorities=("Urgent", "High", "Normal", "Low"),
    ticket_categories=("Bug", "Billing", "How-to", "Performance", "Access", "Integration"),
    outcomes=("Connected", "Left voicemail", "No answer", "Positive", "Neutral", "Negative"),
    competitors=("Brightpeak", "Corvia", "Datanook", "Quillstack"),
    custom=(
        CustomSpec("company", "tier", "Tier", "choice", ("Strategic", "Growth", "Standard"), ("account tier",)),
        CustomSpec("deal", "deployment", "Deployment", "choice", ("Cloud", "Private cloud", "On premises"), ("hosting",)),
        CustomSpec("deal", "seats", "Seats", "number", (), ("number of seats",)),
        CustomSpec("ticket", "escalated", "Escalated", "boolean", (), ()),
    ),
)

MACHINERY = Profile(
    name="machinery",
    company="Brennhof Maschinen",
    home_currency="EUR",
    timezone="Europe/Berlin",
    fiscal_start_month=10,
    phone_region="DE",
    rates={"CHF": 1.04, "USD": 0.92},
    teams=(("Nord", "Nord"), ("Süd", "Süd"), ("Export", "Export")),
    pipelines={
        "Machines": (
            StageSpec("New", 5, days=20),
            StageSpec("Scoping", 20, days=35),
            StageSpec("Bid", 50, days=45),
            StageSpec("Signed", 100, "won"),
            StageSpec("Dropped", 0, "lost"),
        ),
    },
    products=(
        ProductSpec("Press 400", "P400", "Presses", 180_000),
        ProductSpec("Press 900", "P900", "Presses", 420_000),
        ProductSpec("Cutter S", "CS1", "Cutters", 64_000),
        ProductSpec("Cutter XL", "CX1", "Cutters", 99_000),
        ProductSpec("Retrofit Kit", "RK2", "Service", 12_500),
        ProductSpec("Service Contract", "SC1", "Service", 18_000),
    ),
    industries=("Automotive", "Furniture", "Packaging", "Aerospace", "Food"),
    regions={
        "Nord": (("Hamburg", "Germany"), ("Bremen", "Germany"), ("Kiel", "Germany")),
        "Süd": (("München", "Germany"), ("Ulm", "Germany"), ("Nürnberg", "Germany")),
        "Export": (("Linz", "Austria"), ("Winterthur", "Switzerland"), ("Brno", "Czechia")),
    },
    sources=("Fair", "Dealer", "Existing customer", "Tender portal"),
    loss_reasons=("Too expensive", "Delivery time", "Silent", "Bought used"),
    forecast_categories=(("Sure", "commit"), ("Likely", "best_case"), ("Open", "pipeline"), ("Out", "omitted")),
    lead_statuses=(("Fresh", "open"), ("Called", "open"), ("Taken over", "converted"), ("Junk", "closed")),
    ticket_statuses=(("Reported", "open"), ("Technician on site", "open"), ("Fixed", "resolved")),
    priorities=("Line down", "Soon", "Whenever"),
    ticket_categories=("Breakdown", "Spare part", "Setup", "Invoice"),
    outcomes=("Reached", "Not reached", "Interested", "Declined"),
    competitors=("Steinmark", "Ferrotec", "Nordpress"),
    custom=(
        CustomSpec("deal", "product_line", "Product line", "choice", ("Hydraulic", "Electric"), ()),
        CustomSpec("company", "tier", "Tier", "choice", ("A", "B", "C"), ()),
    ),
)

PROFILES = {profile.name: profile for profile in (SOFTWARE, MACHINERY)}
