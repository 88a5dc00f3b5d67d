"""Importing CSV files: what becomes of good rows, of bad ones, and of the same files a second time."""

from __future__ import annotations

import os
from collections.abc import Mapping as Table
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_core.access import system_actor
from crm_core.context import Context, unit_of_work
from crm_core.database import open_engine
from crm_core.errors import Conflict, Invalid, NotAllowed
from crm_core.models import (
    NOUNS,
    Activity,
    Chunk,
    Company,
    Contact,
    CustomField,
    Deal,
    DealContact,
    Employment,
    Event,
    Lead,
    LineItem,
    PicklistValue,
    Pipeline,
    Price,
    Product,
    Stage,
    StageEntry,
    Team,
    Ticket,
    User,
)
from crm_core.services.exchange import ImportOptions, ImportReport, import_directory, load_mapping
from crm_core.services.exchange.columns import COLUMNS
from crm_core.services.exchange.importing import infer_kind
from crm_core.services.exchange.reading import read_table
from crm_core.services.setup import Conventions, set_up
from tests.factories import NOW, World

ROOT = Path(__file__).parents[2]

#: Two rows of each noun, all documented columns filled in the first one, references by external id and by name.
FILES: dict[str, str] = {
    "users.csv": """external_id,name,email,role,team
u1,Olive Farmer,Olive@orchard.test,manager,Orchard
u2,Piet Picker,,,
""",
    "companies.csv": """external_id,name,domain,phone,industry,region,country,city,employees,annual_revenue,parent,owner,created_on
c1,Pear Press,pear.example,(415) 555-0142,Juice,Valley,Chile,Curicó,"1,200","2,500,000.50",Quince Holding,u1,2024-02-03
c2,Quince Holding,,,,,,,,,,,
""",
    "contacts.csv": """external_id,name,title,email,phone,city,company,owner,consent_email,consent_phone,created_on
k1,Rosa Rind,Head of Pips,Rosa@pear.example,+1 415 555 0143,Curicó,c1,Olive Farmer,yes,no,2024-02-04
k2,Sam Stone,,,,,,,,,
""",
    "products.csv": """external_id,name,code,family,price,currency
p1,Cider press,CP-1,Presses,"1,499.99",EUR
p2,Barrel,,,,
""",
    "leads.csv": """external_id,name,company_name,title,email,phone,source,status,region,owner,created_on,first_response_on
l1,Tove Twig,Twig & Co,Owner,tove@twig.example,,Orchard walk,Fresh,Valley,olive@orchard.test,2026-05-01T08:00:00Z,2026-05-01T10:30:00Z
l2,Ulf Umber,,,,,,Nurtured,,,,
""",
    "deals.csv": """external_id,name,company,pipeline,stage,amount,currency,expected_close_on,closed_on,created_on,forecast_category,source,loss_reason,next_step,owner,product,quantity,contact,contact_role
d1,Pear Press pilot,c1,New business,Haggling,"$12,000.00",EUR,2026-09-30,,2026-06-01,Sunny,Orchard walk,,Call Rosa,u1,p1,3,k1,champion
d2,Pear Press renewal,Pear Press,Renewals,renewed,500,,,2026-07-10,2026-06-10,,,,,Piet Picker,,,,
""",
    "tickets.csv": """external_id,subject,description,status,priority,category,company,contact,owner,created_on,first_response_on,resolved_on
t1,Press squeaks,It squeaks at dawn.,Fixed,Loud,Squeaks,c1,k1,u1,2026-07-01T08:00:00Z,2026-07-01T09:00:00Z,2026-07-02T08:00:00Z
t2,Barrel leaks,,Waiting,,,,,,,,
""",
    "activities.csv": """external_id,kind,subject,body,direction,outcome,occurred_on,due_on,completed_on,duration_minutes,owner,company,contact,deal
a1,Call,Talked about pips,She fears the pips clog the sieve.,inbound,Cheerful,2026-07-03T14:00:00+02:00,,,25,u1,c1,k1,d1
a2,task,Send the sieve,,,,2026-07-04,2026-08-20,2026-08-01,,u2,,,
""",
}
CREATED = dict.fromkeys(FILES, 2)


def write_files(folder: Path, files: Table[str, str | bytes]) -> Path:
    """A folder that holds these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


class Importer:
    """Runs imports into a world, as the administrator unless told otherwise."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder

    def __call__(
        self,
        files: Table[str, str | bytes],
        *,
        who: str = "admin",
        mapping: str = "",
        now: datetime = NOW,
        dry_run: bool = False,
        custom_fields: bool = False,
        skip_bad_rows: bool = False,
    ) -> ImportReport:
        for old in self.folder.glob("*"):
            old.unlink()
        write_files(self.folder, files)
        chosen = None
        if mapping:
            chosen = self.folder / "mapping.yaml"
            chosen.write_text(mapping, encoding="utf-8")
        with self.world.write(who, now=now) as ctx:
            return import_directory(ctx, self.folder, load_mapping(chosen), ImportOptions(dry_run, custom_fields, skip_bad_rows))

    def one(self, model: Any, external_id: str) -> Any:
        """A record as it now is."""
        with self.world.read() as ctx:
            return ctx.session.scalars(select(model).where(model.external_id == external_id)).one_or_none()


@pytest.fixture
def run(world: World, tmp_path: Path) -> Importer:
    """An importer into a world of the test's own, on each kind of database."""
    return Importer(world, tmp_path / "files")


@pytest.fixture
def run_shared(shared_world: World, tmp_path: Path) -> Importer:
    """An importer into the shared world, for imports that are refused or taken back."""
    return Importer(shared_world, tmp_path / "files")


def counts(ctx: Context) -> dict[str, int]:
    """Rows of every table that an import can write."""
    models = (*NOUNS.values(), Event, PicklistValue, CustomField, Team, LineItem, Price, DealContact, Employment, Chunk, StageEntry)
    return {model.__tablename__: ctx.session.scalar(select(func.count()).select_from(model)) or 0 for model in models}


def rows_in(world: World) -> dict[str, int]:
    """The same, in a transaction of its own."""
    with world.read() as ctx:
        return counts(ctx)


class TestColumns:
    def test_every_documented_column_is_tried_here(self) -> None:
        assert {name: tuple(text.partition("\n")[0].split(",")) for name, text in FILES.items()} == {
            f"{noun}.csv": columns for noun, columns in COLUMNS.items()
        }

    def test_all_files_come_in(self, run: Importer) -> None:
        report = run(FILES)
        assert report.done
        assert {item.file: item.created for item in report.files} == CREATED
        assert [item.unknown_columns for item in report.files] == [[]] * len(FILES)

    def test_users(self, run: Importer) -> None:
        run(FILES)
        olive, piet = run.one(User, "u1"), run.one(User, "u2")
        assert (olive.name, olive.email, olive.role, olive.active) == ("Olive Farmer", "olive@orchard.test", "manager", True)
        assert (piet.email, piet.role, piet.team_id) == ("piet.picker@imported.invalid", "rep", None)
        with run.world.read() as ctx:
            assert ctx.session.scalar(select(Team.name).where(Team.id == olive.team_id)) == "Orchard"

    def test_companies_with_a_parent_below_the_child(self, run: Importer) -> None:
        run(FILES)
        pear, quince = run.one(Company, "c1"), run.one(Company, "c2")
        assert (pear.name, pear.domain, pear.phone, pear.industry, pear.region) == (
            "Pear Press",
            "pear.example",
            "+14155550142",
            "Juice",
            "Valley",
        )
        assert (pear.country, pear.city, pear.employees, pear.annual_revenue_minor) == ("Chile", "Curicó", 1200, 2_500_000_50)
        assert (pear.parent_id, pear.owner_id) == (quince.id, run.one(User, "u1").id)
        assert pear.created_at == datetime(2024, 2, 3, 11, tzinfo=UTC)  # noon in Berlin

    def test_contacts_with_their_employment(self, run: Importer) -> None:
        run(FILES)
        rosa, sam = run.one(Contact, "k1"), run.one(Contact, "k2")
        assert (rosa.name, rosa.title, rosa.email, rosa.phone) == ("Rosa Rind", "Head of Pips", "rosa@pear.example", "+14155550143")
        assert (rosa.consent_email, rosa.consent_phone, sam.consent_email) == (True, False, None)
        with run.world.read() as ctx:
            job = ctx.session.scalars(select(Employment).where(Employment.contact_id == rosa.id)).one()
            assert (job.company_id, job.title, job.ended_on) == (rosa.company_id, "Head of Pips", None)

    def test_products_with_their_price(self, run: Importer) -> None:
        run(FILES)
        press = run.one(Product, "p1")
        assert (press.name, press.code, press.family, press.active) == ("Cider press", "CP-1", "Presses", True)
        with run.world.read() as ctx:
            price = ctx.session.scalars(select(Price).where(Price.product_id == press.id)).one()
            assert (price.currency, price.amount_minor, price.valid_from <= date(2000, 1, 1)) == ("EUR", 1499_99, True)

    def test_leads(self, run: Importer) -> None:
        run(FILES)
        tove = run.one(Lead, "l1")
        assert (tove.name, tove.company_name, tove.source, tove.status) == ("Tove Twig", "Twig & Co", "Orchard walk", "Fresh")
        assert tove.owner_id == run.one(User, "u1").id
        assert tove.first_response_at - tove.created_at == timedelta(hours=2, minutes=30)

    def test_deals_with_product_person_and_history(self, run: Importer) -> None:
        run(FILES)
        pilot, renewal = run.one(Deal, "d1"), run.one(Deal, "d2")
        assert (pilot.status, pilot.amount_minor, pilot.currency) == ("open", 12_000_00, "EUR")
        assert (pilot.stage_id, pilot.pipeline_id) == (run.world.stages["Haggling"], run.world.pipelines["New business"])
        assert (pilot.expected_close_on, pilot.forecast_category, pilot.next_step) == (date(2026, 9, 30), "Sunny", "Call Rosa")
        assert (renewal.status, renewal.currency, renewal.company_id) == ("won", "USD", pilot.company_id)
        assert renewal.closed_at == datetime(2026, 7, 10, 10, tzinfo=UTC)
        with run.world.read() as ctx:
            item = ctx.session.scalars(select(LineItem).where(LineItem.deal_id == pilot.id)).one()
            assert (item.product_id, item.quantity, item.unit_price_minor, item.total_minor) == (
                run.one(Product, "p1").id,
                3,
                4_000_00,
                12_000_00,
            )
            part = ctx.session.scalars(select(DealContact).where(DealContact.deal_id == pilot.id)).one()
            assert (part.contact_id, part.role) == (run.one(Contact, "k1").id, "champion")
            stay = ctx.session.scalars(select(StageEntry).where(StageEntry.deal_id == pilot.id)).one()
            assert (stay.entered_at, stay.left_at) == (pilot.created_at, None)

    def test_tickets(self, run: Importer) -> None:
        run(FILES)
        squeak = run.one(Ticket, "t1")
        assert (squeak.subject, squeak.status, squeak.category) == ("Press squeaks", "Fixed", "Squeaks")
        assert squeak.resolved_at - squeak.created_at == timedelta(days=1)
        assert (squeak.company_id, squeak.contact_id) == (run.one(Company, "c1").id, run.one(Contact, "k1").id)

    def test_activities_can_be_searched(self, run: Importer) -> None:
        run(FILES)
        call, task = run.one(Activity, "a1"), run.one(Activity, "a2")
        assert (call.kind, call.direction, call.outcome, call.duration_minutes) == ("call", "inbound", "Cheerful", 25)
        assert call.occurred_at == datetime(2026, 7, 3, 12, tzinfo=UTC)
        assert (task.kind, task.due_on, task.completed_at.date()) == ("task", date(2026, 8, 20), date(2026, 8, 1))
        assert call.deal_id == run.one(Deal, "d1").id
        with run.world.read() as ctx:
            texts = ctx.session.scalars(select(Chunk.text).where(Chunk.noun == "activity", Chunk.record_id == call.id)).all()
            assert "pips clog the sieve" in " ".join(texts)

    def test_new_words_join_the_picklists_once(self, run: Importer) -> None:
        run(FILES)
        run(FILES)
        with run.world.read() as ctx:
            words = ctx.session.execute(select(PicklistValue.noun, PicklistValue.field, PicklistValue.value)).all()
        for word in (("company", "industry", "Juice"), ("deal", "source", "Orchard walk"), ("activity", "outcome", "Cheerful")):
            assert [tuple(row) for row in words].count(word) == 1, word
        assert [tuple(row) for row in words].count(("deal", "forecast_category", "Sunny")) == 1

    def test_the_import_is_in_the_event_log(self, run: Importer) -> None:
        run(FILES)
        pilot = run.one(Deal, "d1")
        with run.world.read() as ctx:
            event = ctx.session.scalars(select(Event).where(Event.noun == "deal", Event.record_id == pilot.id)).one()
            assert (event.kind, event.actor_id) == ("created", run.world.users["admin"])


class TestReport:
    def test_totals_before_and_after(self, run: Importer) -> None:
        before = rows_in(run.world)
        report = run(FILES)
        tables = dict(zip((item.file for item in report.files), ("user", "company", "contact", "product", "lead", "deal", "ticket", "activity")))
        for item in report.files:
            table = NOUNS[tables[item.file]].__tablename__
            assert (item.read, item.before, item.after) == (2, before[table], before[table] + 2), item.file

    def test_deals_without_company_or_created_day_are_noted(self, run: Importer) -> None:
        report = run({"deals.csv": "external_id,name,stage\nx1,Lone lamp,Haggling\nx2,Lost lamb,\n"})
        notes = report.files[0].notes
        assert notes["deals without a company"] == 2
        assert sum(count for note, count in notes.items() if "created day" in note) == 2

    def test_a_dry_run_writes_nothing_and_counts_all_the_same(self, run: Importer) -> None:
        before = rows_in(run.world)
        wider = FILES["companies.csv"].replace("created_on\n", "created_on,shoe size\n")
        report = run({**FILES, "companies.csv": wider}, dry_run=True, custom_fields=True)
        assert (report.done, report.refused) == (False, 0)
        assert {item.file: item.created for item in report.files} == CREATED
        assert rows_in(run.world) == before

    def test_a_dry_run_gives_a_reason_for_each_line(self, run: Importer) -> None:
        before = rows_in(run.world)
        report = run(
            {
                "deals.csv": "external_id,name,company,stage,amount,closed_on\n"
                "g1,Good,rep Harbour Optics,Haggling,10,\n"
                "b1,No such firm,Nowhere Ltd,Haggling,10,\n"
                "b2,Not money,,Haggling,ten,\n"
                "\n"
                "b3,Won when,,Champagne,10,\n"
            },
            dry_run=True,
        )
        (item,) = report.files
        assert (item.read, item.created, len(item.refused), report.done) == (4, 1, 3, False)
        assert [line.split(":")[0] for line in item.refused] == [f"deals.csv, line {number}" for number in (3, 4, 6)]
        for line, words in zip(item.refused, ("company 'Nowhere Ltd' is not known", "ten", "won but has no closed_on")):
            assert words in line
        assert rows_in(run.world) == before


class TestRefusals:
    @pytest.mark.parametrize(
        ("file", "text", "reason"),
        [
            ("deals.csv", "name,stage,closed_on\nX,Champagne,\n", "the deal is won but has no closed_on"),
            ("deals.csv", "name,stage,closed_on\nX,Ghosted,\n", "the deal is lost but has no closed_on"),
            ("deals.csv", "name,stage,closed_on\nX,Haggling,2026-01-01\n", "has a closed_on but its stage Haggling is open"),
            ("deals.csv", "name,stage,created_on,closed_on\nX,Champagne,2026-02-01,2026-01-01\n", "is before created_on"),
            ("deals.csv", "name,stage\nX,Hagling\n", "stage 'Hagling' is none of Sniff test"),
            ("deals.csv", "name,pipeline\nX,Old business\n", "there is no pipeline 'Old business'"),
            ("deals.csv", "name,currency\nX,QQQ\n", "'QQQ' is not a currency code"),
            ("deals.csv", "name,currency\nX,CHF\n", "there is no exchange rate for CHF"),
            ("deals.csv", 'name,amount\nX,"1,50"\n', "1,50"),
            ("deals.csv", "name,amount\nX,-5\n", "-5"),
            ("deals.csv", "name,amount\nX,99999999999999\n", "99999999999999"),
            ("deals.csv", "name,owner\nX,Nobody Known\n", "owner 'Nobody Known' is not known; import it first"),
            ("deals.csv", "name,product\nX,Anvil\n", "product 'Anvil' is not known"),
            ("deals.csv", "external_id,name\nx1,\n", "name is empty"),
            ("deals.csv", "name,expected_close_on\nX,soon\n", "expected_close_on 'soon' is not a day"),
            ("deals.csv", "name,expected_close_on\nX,2026-02-30\n", "is not a day"),
            ("leads.csv", "name,created_on\nX,25:00\n", "created_on '25:00' is not a time"),
            ("companies.csv", "name,employees\nX,many\n", "employees 'many' is not a whole number"),
            ("companies.csv", "name,employees\nX,-3\n", "is not a whole number"),
            ("companies.csv", "name,employees\nX,Infinity\n", "is not a whole number"),
            ("companies.csv", "name,parent\nX,No Such Parent\n", "parent 'No Such Parent' of X is not known"),
            ("contacts.csv", "name,email\nX,not an address\n", "is not an e-mail address"),
            ("contacts.csv", "name,consent_email\nX,perhaps\n", "consent_email 'perhaps' is neither yes nor no"),
            ("users.csv", "name,role\nX,emperor\n", "role 'emperor' is none of readonly, rep, manager, admin"),
            ("activities.csv", "kind,subject\nparty,X\n", "kind 'party' is none of call"),
            ("activities.csv", "kind,subject,direction\ncall,X,sideways\n", "neither inbound nor outbound"),
            ("tickets.csv", "external_id,subject\nt1,\n", "subject is empty"),
            ("companies.csv", "domain,city\nx.example,Ulm\n", "neither an external_id nor a name"),
        ],
    )
    def test_a_row_is_refused_with_its_reason_and_nothing_is_written(self, run_shared: Importer, file: str, text: str, reason: str) -> None:
        before = rows_in(run_shared.world)
        report = run_shared({file: text})
        assert not report.done
        assert len(report.files[0].refused) == 1
        assert reason in report.files[0].refused[0]
        assert report.files[0].refused[0].startswith(file)
        assert rows_in(run_shared.world) == before

    def test_one_bad_row_keeps_all_files_out(self, run: Importer) -> None:
        before = rows_in(run.world)
        report = run({**FILES, "activities.csv": "kind,subject\ncall,Fine\nparty,Not fine\n"})
        assert (report.done, report.refused) == (False, 1)
        assert rows_in(run.world) == before

    def test_bad_rows_can_be_skipped(self, run: Importer) -> None:
        report = run({"deals.csv": "external_id,name,amount\ng1,Good,10\nb1,Bad,ten\ng2,Also good,20\n"}, skip_bad_rows=True)
        (item,) = report.files
        assert (report.done, item.read, item.created, len(item.refused), item.after - item.before) == (True, 3, 2, 1, 2)
        assert run.one(Deal, "g2").amount_minor == 20_00
        assert run.one(Deal, "b1") is None

    @pytest.mark.parametrize("column", ["product", "contact", "quantity"])
    def test_a_skipped_row_leaves_nothing_behind(self, run: Importer, column: str) -> None:
        known = ",product" if column == "quantity" else ""
        value = ",Brass lantern" if column == "quantity" else ""
        report = run({"deals.csv": f"external_id,name,{column}{known}\nb1,Bad,unheard-of{value}\n"}, skip_bad_rows=True)
        (item,) = report.files
        assert (item.created, len(item.refused), item.after - item.before) == (0, 1, 0)
        assert run.one(Deal, "b1") is None

    def test_a_skipped_product_leaves_nothing_behind(self, run: Importer) -> None:
        report = run({"products.csv": "external_id,name,price\nb1,Bad,dear\n"}, skip_bad_rows=True)
        assert (report.files[0].created, len(report.files[0].refused)) == (0, 1)
        assert run.one(Product, "b1") is None

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("users.csv", "external_id,name,email\nn1,Rena Twin,renata@lantern.test\n"),
            ("products.csv", "external_id,name,code\nn1,Twin lantern,BL-1\n"),
        ],
    )
    def test_a_taken_value_names_its_line(self, run_shared: Importer, file: str, text: str) -> None:
        report = run_shared({file: text})
        assert len(report.files[0].refused) == 1
        assert report.files[0].refused[0].startswith(f"{file}, line 2")

    @pytest.mark.parametrize(
        ("file", "column", "length"),
        [
            ("companies.csv", "country", 400),
            ("companies.csv", "domain", 400),
            ("contacts.csv", "title", 400),
            ("products.csv", "family", 400),
            ("products.csv", "name", 290),
            ("leads.csv", "region", 400),
            ("users.csv", "name", 290),
        ],
    )
    def test_a_text_that_is_too_long_is_cut_or_refused(self, run_shared: Importer, file: str, column: str, length: int) -> None:
        heading, cells = ("external_id,name", "n1,X") if column != "name" else ("external_id", "n1")
        report = run_shared({file: f"{heading},{column}\n{cells},{'y' * length}\n"}, dry_run=True)
        assert report.files[0].created + len(report.files[0].refused) == 1

    @pytest.mark.parametrize("who", ["manager", "rep", "readonly"])
    def test_only_an_administrator_may(self, run_shared: Importer, who: str) -> None:
        with pytest.raises(NotAllowed, match="Only an administrator may import"):
            run_shared(FILES, who=who)

    @pytest.mark.parametrize("who", ["manager", "rep"])
    def test_nor_may_others_try_it_dry(self, run_shared: Importer, who: str) -> None:
        with pytest.raises(NotAllowed):
            run_shared(FILES, who=who, dry_run=True)


class TestAgain:
    def test_a_second_run_changes_nothing(self, run: Importer) -> None:
        run(FILES)
        before = rows_in(run.world)
        report = run(FILES, now=NOW + timedelta(days=3))
        assert report.done
        assert [(item.created, item.updated, item.unchanged) for item in report.files] == [(0, 0, 2)] * len(FILES)
        assert rows_in(run.world) == before

    def test_rows_without_a_day_stay_where_they_are(self, run: Importer) -> None:
        files = {"activities.csv": "external_id,subject\na1,Undated note\n", "deals.csv": "external_id,name\nd1,Undated deal\n"}
        run(files)
        report = run(files, now=NOW + timedelta(days=3))
        assert [(item.file, item.updated) for item in report.files] == [("deals.csv", 0), ("activities.csv", 0)]
        assert run.one(Activity, "a1").occurred_at == NOW

    def test_rows_are_known_by_name_where_they_have_no_id(self, run: Importer) -> None:
        files = {"companies.csv": "name,city\nFig Farm,Lagos\n"}
        run(files)
        report = run({"companies.csv": "name,city\nFIG FARM,Faro\n"})
        assert (report.files[0].created, report.files[0].updated) == (0, 1)

    def test_changed_rows_are_updated_by_external_id(self, run: Importer) -> None:
        run(FILES)
        report = run({"deals.csv": "external_id,name,stage,amount,closed_on\nd1,Pear Press pilot II,Champagne,13000,2026-08-01\n"})
        (item,) = report.files
        assert (item.created, item.updated, item.unchanged, item.after - item.before) == (0, 1, 0, 0)
        pilot = run.one(Deal, "d1")
        assert (pilot.name, pilot.status, pilot.amount_minor) == ("Pear Press pilot II", "won", 13_000_00)
        with run.world.read() as ctx:
            stays = ctx.session.scalars(select(StageEntry).where(StageEntry.deal_id == pilot.id).order_by(StageEntry.id)).all()
            assert [stay.stage_id for stay in stays] == [run.world.stages["Haggling"], run.world.stages["Champagne"]]
            kinds = ctx.session.scalars(select(Event.kind).where(Event.noun == "deal", Event.record_id == pilot.id)).all()
            assert kinds == ["created", "updated"]

    def test_a_column_that_is_absent_is_left_alone(self, run: Importer) -> None:
        run(FILES)
        run({"deals.csv": "external_id,name,stage\nd1,Pear Press pilot,Haggling\n", "users.csv": "external_id,name\nu1,Olive Farmer\n"})
        olive = run.one(User, "u1")
        assert run.one(Deal, "d1").currency == "EUR"
        assert (olive.role, olive.email) == ("manager", "olive@orchard.test")

    def test_a_deal_stays_in_its_stage_where_the_file_names_none(self, run: Importer) -> None:
        run(FILES)
        run({"deals.csv": "external_id,name,next_step\nd1,Pear Press pilot,Send the offer\n"})
        pilot = run.one(Deal, "d1")
        assert (pilot.next_step, pilot.stage_id) == ("Send the offer", run.world.stages["Haggling"])

    def test_a_deactivated_user_stays_out(self, run: Importer) -> None:
        run(FILES)
        with run.world.write() as ctx:
            ctx.session.scalars(select(User).where(User.external_id == "u2")).one().active = False
        run(FILES)
        assert run.one(User, "u2").active is False

    def test_namesakes_in_one_file_are_not_merged_silently(self, run_shared: Importer) -> None:
        report = run_shared({"deals.csv": "name,company,amount\nRenewal,rep Harbour Optics,10\nRenewal,junior Harbour Optics,20\n"}, dry_run=True)
        (item,) = report.files
        assert (
            item.created == 2
            or item.refused
            or item.notes.keys()
            - {
                "deals without a company",
                "deals without a created day; the closed day or the day of import was taken",
            }
        )


class TestCustomFields:
    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (["yes", "No", "TRUE"], "boolean"),
            (["1", "2.5", "1,000"], "number"),
            (["2026-01-31", "2025-12-01"], "date"),
            (["Tin", "Gold", "Tin", "Gold"], "choice"),
            (["Tin", "Gold", "Brass"], "text"),
            (["2026-01-31", "soon"], "text"),
            (["12", "twelve"], "text"),
            ([], "text"),
        ],
    )
    def test_the_kind_is_the_narrowest_that_fits(self, values: list[str], kind: str) -> None:
        assert infer_kind(values)[0] == kind

    @pytest.mark.parametrize("values", [["nan"], ["inf", "3"], ["1e400"], ["1_000"], ["1e16"]])
    def test_a_kind_takes_its_own_values(self, run_shared: Importer, values: list[str]) -> None:
        rows = "".join(f"c{number},Firm {number},{value}\n" for number, value in enumerate(values))
        report = run_shared({"companies.csv": f"external_id,name,mood\n{rows}"}, dry_run=True, custom_fields=True)
        assert report.files[0].refused == []

    def test_unknown_columns_are_named_and_left_out(self, run: Importer) -> None:
        report = run({"companies.csv": "external_id,name,Shoe size\nc9,Fig Farm,44\n"})
        assert (report.done, report.files[0].unknown_columns) == (True, ["Shoe size"])
        assert run.one(Company, "c9").custom == {}

    def test_unknown_columns_become_custom_fields(self, run: Importer) -> None:
        text = (
            "external_id,name,Shoe size,Founded on,Listed,Mood,Motto\n"
            "c1,Fig Farm,44,1999-01-31,yes,Sunny,Figs first\n"
            "c2,Date Dairy,45.5,2001-05-06,no,Grim,Milk\n"
            "c3,Plum Pub,,,,Sunny,\n"
            "c4,Kiwi Kiosk,40,,no,Grim,Fuzz\n"
        )
        report = run({"companies.csv": text}, custom_fields=True)
        assert report.done
        with run.world.read() as ctx:
            made = ctx.session.execute(
                select(CustomField.key, CustomField.label, CustomField.kind).where(CustomField.noun == "company", CustomField.key != "tier")
            ).all()
        assert {tuple(row) for row in made} == {
            ("shoe_size", "Shoe size", "number"),
            ("founded_on", "Founded on", "date"),
            ("listed", "Listed", "boolean"),
            ("mood", "Mood", "choice"),
            ("motto", "Motto", "text"),
        }
        assert run.one(Company, "c1").custom == {
            "shoe_size": 44,
            "founded_on": "1999-01-31",
            "listed": True,
            "mood": "Sunny",
            "motto": "Figs first",
        }
        assert run.one(Company, "c3").custom == {"mood": "Sunny"}
        again = run({"companies.csv": text}, custom_fields=True)
        assert (again.files[0].created, again.files[0].updated) == (0, 0)

    def test_existing_custom_fields_are_filled_without_asking(self, run: Importer) -> None:
        run({"companies.csv": "external_id,name,Tier\nc1,Fig Farm,Gold\n"})
        assert run.one(Company, "c1").custom == {"tier": "Gold"}

    def test_a_value_that_does_not_fit_is_refused(self, run_shared: Importer) -> None:
        report = run_shared({"companies.csv": "external_id,name,tier\nc1,Fig Farm,Cardboard\n"})
        assert "'Cardboard' is not a Tier" in report.files[0].refused[0]

    def test_columns_that_come_to_the_same_key(self, run_shared: Importer) -> None:
        try:
            report = run_shared({"companies.csv": "external_id,name,Shoe size,shoe-size\nc1,Fig,4,5\n"}, dry_run=True, custom_fields=True)
        except Invalid as error:
            assert "hoe" in error.message
        except Conflict as error:
            pytest.fail(f"the refusal names no column: {error.message}")
        else:
            assert report.files[0].created == 1


class TestReading:
    def test_latin_letters_without_utf_8(self, run: Importer) -> None:
        run({"companies.csv": "external_id,name,city\nc1,Köhler & Söhne – Öfen,Düren\n".encode("cp1252")})
        company = run.one(Company, "c1")
        assert (company.name, company.city) == ("Köhler & Söhne – Öfen", "Düren")

    @pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
    def test_a_byte_order_mark_is_not_part_of_the_heading(self, run: Importer, encoding: str) -> None:
        run({"companies.csv": b"\xef\xbb\xbf" + "external_id,name\nc1,Café Ödland\n".encode(encoding)})
        assert run.one(Company, "c1").name == "Café Ödland"

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("ending", ["\n", "\r\n"])
    def test_separators_and_line_ends(self, tmp_path: Path, delimiter: str, ending: str) -> None:
        text = ending.join([delimiter.join(["external_id", "name"]), delimiter.join(["c1", '"two\nlines"']), "", delimiter.join(["c2", "x"])])
        write_files(tmp_path, {"t.csv": text})
        heading, rows = read_table(tmp_path / "t.csv")
        assert heading == ["external_id", "name"]
        assert [tuple(row.cells.values()) for row in rows] == [("c1", "two\nlines"), ("c2", "x")]

    def test_short_rows_are_filled(self, tmp_path: Path) -> None:
        write_files(tmp_path, {"t.csv": "a,b,c\n1\n"})
        assert [row.cells for row in read_table(tmp_path / "t.csv")[1]] == [{"a": "1", "b": "", "c": ""}]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ('external_id,name\nc1,"open\nc2,x\n', "companies.csv, line 2 or after: a quote is not closed"),
            ('external_id,name\nc1,"in"side\n', "a quote is not closed or stands inside a cell"),
            ("name,name\nx,y\n", "the heading names a column twice"),
            ("external_id,name\nc1,Fine\nc2,too,many\n", "companies.csv, line 3: it has 3 cells but the heading has 2"),
            ("", "companies.csv is empty"),
            (b"PK\x03\x04\x00\x00\x00", "is not a text file"),
            ('"open', "companies.csv, line 1"),
        ],
    )
    def test_a_broken_file_is_refused_by_name(self, run_shared: Importer, text: str | bytes, reason: str) -> None:
        before = rows_in(run_shared.world)
        with pytest.raises(Invalid) as refusal:
            run_shared({"companies.csv": text})
        assert reason in refusal.value.message
        assert rows_in(run_shared.world) == before

    def test_a_nul_far_down_is_refused(self, run_shared: Importer) -> None:
        filler = "".join(f"c{number},{'x' * 50}\n" for number in range(100))
        try:
            report = run_shared({"companies.csv": f"external_id,name\n{filler}z,nul\x00here\n"}, dry_run=True)
        except Invalid as error:
            assert "companies.csv" in error.message
        else:
            assert report.files[0].refused

    def test_a_folder_without_files_says_what_is_wanted(self, run_shared: Importer) -> None:
        with pytest.raises(Invalid, match=r"holds none of users\.csv, companies\.csv"):
            run_shared({"readme.txt": "hello"})

    def test_a_missing_folder(self, shared_world: World, tmp_path: Path) -> None:
        with pytest.raises(Invalid, match="There is no folder"), shared_world.write("admin") as ctx:
            import_directory(ctx, tmp_path / "nowhere", load_mapping(None), ImportOptions())


MAPPED = """
pipeline:
  name: Orchard sales
  stages:
    - {name: Bud, probability: 10}
    - {name: Fruit, probability: 100, kind: won}
files:
  companies:
    file: firms.csv
    columns: {name: firm, annual_revenue: turnover}
    scale: {annual_revenue: 1000}
    values: {industry: {Jiuce: Juice}}
    constants: {region: Valley}
    ignore: [fax]
  deals:
    file: sales.csv
    columns: {external_id: number, company: firm, stage: step, amount: sum, closed_on: day}
    constants: {pipeline: Orchard sales}
    templates: {name: "{company} #{external_id}"}
"""
FIRMS = "firm,turnover,industry,fax\nPear Press,12.5,Jiuce,123\nFig Farm,,Cheese,\n"
SALES = "number,firm,step,sum,day\n7,Pear Press,Fruit,10,2026-05-05\n8,Fig Farm,Bud,20,\n"


class TestMapping:
    def test_foreign_names_are_translated(self, run: Importer) -> None:
        report = run({"firms.csv": FIRMS, "sales.csv": SALES}, mapping=MAPPED)
        assert report.done
        assert [item.unknown_columns for item in report.files] == [[], []]
        with run.world.read() as ctx:
            pear = ctx.session.scalars(select(Company).where(Company.name == "Pear Press")).one()
            deal = ctx.session.scalars(select(Deal).where(Deal.external_id == "7")).one()
            pipeline = ctx.session.scalars(select(Pipeline).where(Pipeline.name == "Orchard sales")).one()
            stages = ctx.session.scalars(select(Stage).where(Stage.pipeline_id == pipeline.id).order_by(Stage.position)).all()
        assert (pear.industry, pear.region, pear.annual_revenue_minor) == ("Juice", "Valley", 12_500_00)
        assert (deal.name, deal.company_id, deal.status, deal.pipeline_id) == ("Pear Press #7", pear.id, "won", pipeline.id)
        assert [(stage.name, stage.kind) for stage in stages] == [("Bud", "open"), ("Fruit", "won")]

    def test_the_pipeline_is_made_once(self, run: Importer) -> None:
        for _ in range(2):
            report = run({"firms.csv": FIRMS, "sales.csv": SALES}, mapping=MAPPED)
        assert [(item.created, item.updated) for item in report.files] == [(0, 0), (0, 0)]

    @pytest.mark.parametrize(
        ("mapping", "reason"),
        [
            ("files: {dragons: {file: d.csv}}", "names 'dragons'"),
            ("files: [", "is not YAML"),
            ("files: {deals: {fil: d.csv}}", "cannot be used"),
            ("files: {companies: {file: firms.csv, columns: {name: nome}}}", "wants the column 'nome' of firms.csv, which has firm"),
            ("files: {companies: {file: lost.csv, columns: {name: firm}}}", "names lost.csv, which is not in"),
            ("- just\n- a list\n", "cannot be used"),
        ],
    )
    def test_a_mapping_that_cannot_be_used_says_why(self, run_shared: Importer, mapping: str, reason: str) -> None:
        with pytest.raises(Invalid) as refusal:
            run_shared({"firms.csv": FIRMS}, mapping=mapping)
        assert reason in refusal.value.message

    def test_a_missing_mapping_file(self, tmp_path: Path) -> None:
        with pytest.raises(Invalid, match="There is no mapping file"):
            load_mapping(tmp_path / "none.yaml")


def maven_folder() -> Path:
    """The open data set that the shipped mapping is for; skips the test where it is not at hand."""
    shared = os.environ.get("RAPPORT_SHARED_DATA")
    folder = (Path(shared) if shared else ROOT.parent / "shared" / "data") / "maven-crm"
    if not (folder / "sales_pipeline.csv").is_file():
        pytest.skip("the Maven CRM data is not here; set RAPPORT_SHARED_DATA to the folder that holds maven-crm")
    return folder


class TestMaven:
    def test_it_loads_whole_and_only_once(self, tmp_path: Path) -> None:
        folder = maven_folder()
        mapping = load_mapping(ROOT / "docs" / "examples" / "maven-crm.yaml")
        engine = open_engine(f"sqlite:///{tmp_path / 'maven.db'}")
        words = mapping.company
        set_up(engine, Conventions(words.name, words.home_currency, words.timezone, words.fiscal_start_month), now=NOW)
        reports = []
        for _ in range(2):
            with unit_of_work(engine, system_actor(), write=True, now=NOW, door="import") as ctx:
                reports.append(import_directory(ctx, folder, mapping, ImportOptions(custom_fields=True)))
        first, second = reports
        assert (first.done, first.refused) == (True, 0)
        assert {item.file: item.created for item in first.files} == {
            "sales_teams.csv": 35,
            "accounts.csv": 85,
            "products.csv": 7,
            "sales_pipeline.csv": 8800,
        }
        assert [(item.created, item.updated) for item in second.files] == [(0, 0)] * 4
        with unit_of_work(engine, system_actor(), write=False) as ctx:
            found = {
                status: (number, amount)
                for status, number, amount in ctx.session.execute(
                    select(Deal.status, func.count(), func.sum(Deal.amount_minor)).group_by(Deal.status)
                )
            }
            assert found["won"] == (4238, 1_000_553_400)
            assert found["lost"][0] == 2473
            assert sum(number for number, _ in found.values()) == 8800
            assert ctx.session.scalar(select(func.count()).where(Company.parent_id.is_not(None))) == 15
            assert ctx.session.scalar(select(func.count()).where(Company.industry == "technolgy")) == 0
            assert ctx.session.scalar(select(func.count()).select_from(LineItem)) == 8800
        engine.dispose()
