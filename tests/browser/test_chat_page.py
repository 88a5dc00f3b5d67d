"""The chat page in a real browser, over a real server on this machine and a small generated company.

The page's rules forbid eval, so nothing here hands a browser code as text: only locators, and functions that the
driver itself runs. The server listens on a free loopback port; a request to anywhere else fails the test.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from sqlalchemy import text as sql

from assistant.retrieval.index import Index
from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.database import open_engine
from crm_core.models import Activity, Company, Contact, User
from crm_core.services.users import create_sign_in_link
from crm_core.settings import Settings
from integrations.app import Rapport
from integrations.http.server import build_app
from integrations.world.load import load_world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

CHROMIUM = Path("/usr/bin/chromium")
driver_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = driver_api.expect
if not CHROMIUM.exists():
    pytest.skip("there is no chromium on this machine", allow_module_level=True)

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run", "--disable-component-update"]
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
WAIT = 15_000


@dataclass
class Site:
    """A running server: its address and its product."""

    address: str
    product: Rapport
    admin: int

    def link(self) -> str:
        """A fresh sign-in address."""
        with unit_of_work(self.product.engine, system_actor(), write=True, door="test") as ctx:
            return f"{self.address}/login?token={create_sign_in_link(ctx, self.admin)}"

    def value(self, query: str) -> Any:
        """One value straight from the database."""
        with self.product.engine.connect() as connection:
            return connection.execute(sql(query)).scalar()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The product over a small generated company that ends today, served on a free port."""
    folder = tmp_path_factory.mktemp("site")
    engine = open_engine(f"sqlite:///{folder / 'rapport.db'}")
    now = datetime.now(UTC) - timedelta(minutes=5)
    load_world(engine, size="small", seed=3, now=now)
    with unit_of_work(engine, system_actor(), write=True, now=now, door="test") as ctx:
        admin = ctx.session.query(User).filter_by(role="admin").order_by(User.id).first()
        assert admin is not None
        times: dict[str, Any] = {"created_at": now - timedelta(days=3), "updated_at": now, "custom": {}, "owner_id": admin.id}
        evil = Company(name=f"Evilsoft {HOSTILE}", domain="evilsoft.example", **times)
        ctx.session.add(evil)
        ctx.session.flush()
        for place in range(2):
            ctx.session.add(
                Contact(
                    name="Theodora Quill",
                    email=f"theodora{place}@quill{place}.example",
                    title=f"Buyer {place}",
                    phone=f"+1415555020{place}",
                    company_id=evil.id,
                    **times,
                )
            )
        ctx.session.flush()
        ctx.session.add(
            Activity(
                kind="note",
                subject=f"Zeppelin {HOSTILE}",
                body=f"They want a zeppelin hangar. {HOSTILE}",
                company_id=evil.id,
                occurred_at=now - timedelta(days=2),
                **times,
            )
        )
        number = admin.id
    settings = Settings(_env_file=None, data_dir=folder, model="embedded")  # type: ignore[call-arg]
    product = Rapport(settings, engine, Index(engine, folder / "no_index"))
    product.index.start = lambda: None  # type: ignore[method-assign]
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build_app(product), log_level="error", access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while not server.started and time.monotonic() < end:
        time.sleep(0.05)
    assert server.started
    yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", product, number)
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this module."""
    with driver_api.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield made
        made.close()


@dataclass
class Watched:
    """A page, with everything that it complained of or asked others for."""

    page: Page
    site: Site
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ask(self, message: str) -> Any:
        """Type a question, send it by Enter, and wait for the whole answer."""
        before = self.page.locator(".theirs .after").count()
        box = self.page.get_by_label("Your question")
        box.fill(message)
        box.press("Enter")
        expect(self.page.locator(".theirs .after")).to_have_count(before + 1, timeout=WAIT)
        return self.page.locator(".theirs").last


Opener = Callable[..., Watched]


@pytest.fixture
def opened(browser: Browser, site: Site) -> Iterator[Opener]:
    """Opens pages; afterwards nothing may have left the origin and the console must be clean."""
    contexts: list[BrowserContext] = []
    pages: list[Watched] = []

    def open_page(*, signed_in: bool = True, **options: Any) -> Watched:
        context = browser.new_context(**options)
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page = context.new_page()
        watched = Watched(page, site)
        pages.append(watched)

        def only_ours(route: Route) -> None:
            if route.request.url.startswith(site.address):
                route.continue_()
            else:
                watched.foreign.append(route.request.url)
                route.abort()

        context.route("**/*", only_ours)
        page.on("console", lambda message: watched.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.goto(site.link() if signed_in else site.address)
        if signed_in:
            expect(page.locator(".welcome")).to_be_visible()
        return watched

    yield open_page
    told = [(item.foreign, [text for text in item.complaints if "401" not in text]) for item in pages]
    for context in contexts:
        context.close()
    assert told == [([], [])] * len(told)


@pytest.fixture
def chat(opened: Opener) -> Watched:
    """A signed-in page."""
    return opened()


class TestSigningIn:
    def test_a_link_signs_in_and_says_who_one_is(self, chat: Watched) -> None:
        assert chat.page.url.rstrip("/") == chat.site.address
        expect(chat.page.locator("#who")).to_contain_text("admin at Lumenway")

    def test_a_link_works_once(self, opened: Opener, site: Site) -> None:
        link = site.link()
        first = opened(signed_in=False)
        first.page.goto(link)
        expect(first.page.locator(".welcome")).to_be_visible()
        second = opened(signed_in=False)
        response = second.page.goto(link)
        assert response is not None
        assert response.status in (401, 403, 404, 409)
        second.complaints.clear()

    def test_without_signing_in_the_page_tells_how(self, opened: Opener) -> None:
        page = opened(signed_in=False).page
        expect(page.locator("#log")).to_contain_text("not signed in")
        expect(page.locator("#log")).to_contain_text("rapport user link")
        expect(page.get_by_role("button", name="Ask", exact=True)).to_be_disabled()


class TestAsking:
    def test_a_question_by_keyboard_is_answered_with_a_figure(self, chat: Watched) -> None:
        expect(chat.page.get_by_label("Your question")).to_be_focused()
        answer = chat.ask("How many open deals are there?")
        expect(chat.page.locator(".mine")).to_have_text("How many open deals are there?")
        count = chat.site.value("SELECT count(*) FROM deal WHERE status = 'open' AND archived_at IS NULL")
        expect(answer).to_contain_text(f"{count:,}")
        expect(answer.locator("strong").first).to_be_visible()
        expect(chat.page.get_by_label("Your question")).to_be_focused()
        expect(chat.page.get_by_label("Your question")).to_have_value("")
        expect(chat.page.locator(".status")).to_have_count(0)

    def test_the_answer_streams(self, chat: Watched) -> None:
        with chat.page.expect_response("**/api/chat/stream") as caught:
            chat.ask("How much did we win last quarter?")
        response = caught.value
        assert response.headers["content-type"].startswith("text/event-stream")
        kinds = [line.removeprefix("event: ") for line in response.text().splitlines() if line.startswith("event: ")]
        assert "text" in kinds
        assert kinds[-1] == "done"

    def test_shift_enter_makes_a_line_and_arrow_up_brings_the_last_question_back(self, chat: Watched) -> None:
        box = chat.page.get_by_label("Your question")
        box.fill("How many")
        box.press("Shift+Enter")
        box.press_sequentially("open deals?")
        expect(box).to_have_value("How many\nopen deals?")
        chat.ask("How many open deals are there?")
        box.press("ArrowUp")
        expect(box).to_have_value("How many open deals are there?")

    def test_an_empty_question_is_not_sent(self, chat: Watched) -> None:
        box = chat.page.get_by_label("Your question")
        box.fill("   ")
        box.press("Enter")
        expect(chat.page.locator(".mine")).to_have_count(0)
        expect(chat.page.locator(".welcome")).to_be_visible()

    def test_a_suggestion_can_be_clicked(self, chat: Watched) -> None:
        chat.page.locator(".suggest button").first.click()
        expect(chat.page.locator(".theirs .after")).to_have_count(1)
        expect(chat.page.locator(".welcome")).to_have_count(0)

    def test_groups_come_as_table_and_bars(self, chat: Watched) -> None:
        answer = chat.ask("open pipeline by rep")
        assert answer.locator("table tbody tr").count() > 1
        expect(answer.locator("th.number").first).to_be_visible()
        expect(answer.locator("svg.chart rect").first).to_be_visible()
        box = answer.locator("svg.chart").bounding_box()
        assert box is not None and box["height"] > 30

    def test_time_comes_as_a_line(self, chat: Watched) -> None:
        answer = chat.ask("won value by month this year")
        expect(answer.locator("svg.chart path.line").first).to_be_attached()
        expect(answer.locator("svg.chart circle").first).to_be_attached()
        expect(answer.locator("svg.chart > title")).not_to_be_empty()

    def test_how_a_figure_came_about_is_one_click_away(self, chat: Watched) -> None:
        chat.ask("How many open deals are there?").get_by_role("button", name="How did you get that?").click()
        expect(chat.page.locator(".theirs .after")).to_have_count(2)
        expect(chat.page.locator(".mine").last).to_have_text("How did you get that?")
        expect(chat.page.locator(".theirs").last).to_contain_text("all deals")

    def test_the_rows_of_a_figure_are_one_click_away(self, chat: Watched) -> None:
        chat.ask("How many open deals are there?").get_by_role("button", name="Show me the rows").click()
        expect(chat.page.locator(".theirs .after")).to_have_count(2)
        expect(chat.page.locator(".theirs").last.locator("tbody tr").first).to_be_visible()

    @pytest.mark.parametrize("place", [0, 1])
    def test_choices_can_be_clicked(self, chat: Watched, place: int) -> None:
        # The second button says "the second one".
        asked = chat.ask("What is Theodora Quill's phone number?")
        buttons = asked.locator(".choices button")
        expect(buttons).to_have_count(2)
        wanted = f"+1415555020{'0' if 'Buyer 0' in (buttons.nth(place).text_content() or '') else '1'}"
        buttons.nth(place).click()
        expect(chat.page.locator(".theirs .after")).to_have_count(2)
        expect(chat.page.locator(".theirs").last).to_contain_text(wanted)

    def test_a_problem_is_told_and_the_page_goes_on(self, chat: Watched) -> None:
        chat.page.context.route(
            "**/api/chat/stream",
            lambda route: route.fulfill(status=500, content_type="application/problem+json", body='{"detail": "Out of lamps. Try again."}'),
        )
        box = chat.page.get_by_label("Your question")
        box.fill("How many open deals are there?")
        box.press("Enter")
        expect(chat.page.locator(".notice")).to_have_text("Out of lamps. Try again.")
        chat.page.context.unroute("**/api/chat/stream")
        chat.complaints.clear()
        chat.ask("How many open deals are there?")


class TestChanges:
    def words(self, site: Site) -> int:
        return int(site.value("SELECT count(*) FROM taught_word"))

    def test_a_change_is_previewed_applied_and_taken_back(self, chat: Watched, site: Site) -> None:
        before = self.words(site)
        answer = chat.ask("'whale' means open deal over 100k")
        sheet = answer.locator(".approval")
        expect(sheet).to_contain_text("open deal over 100k")
        assert self.words(site) == before
        sheet.get_by_role("button", name="Apply").click()
        expect(sheet).to_contain_text("Applied", timeout=WAIT)
        assert self.words(site) == before + 1
        sheet.get_by_role("button", name="Undo").click()
        inverse = answer.locator(".approval").nth(1)
        expect(inverse).to_contain_text("Undo", timeout=WAIT)
        assert self.words(site) == before + 1
        inverse.get_by_role("button", name="Apply").click()
        expect(inverse).to_contain_text("Applied", timeout=WAIT)
        assert self.words(site) == before

    def test_a_refused_change_leaves_nothing(self, chat: Watched, site: Site) -> None:
        before = self.words(site)
        sheet = chat.ask("'minnow' means open deal under 5k").locator(".approval")
        sheet.get_by_role("button", name="Refuse").click()
        expect(sheet).to_contain_text("nothing was changed", timeout=WAIT)
        expect(sheet.get_by_role("button", name="Apply")).to_have_count(0)
        assert self.words(site) == before


class TestRecords:
    def test_a_citation_opens_the_timeline_of_its_record(self, chat: Watched) -> None:
        answer = chat.ask("what was said about the zeppelin hangar?")
        answer.locator(".cites .link").first.click()
        drawer = chat.page.get_by_role("complementary", name="Record")
        expect(drawer).to_be_visible()
        expect(drawer.locator("h2").first).to_contain_text("Zeppelin")
        expect(drawer).to_contain_text("Timeline")
        expect(drawer.locator(".entry.here")).to_have_count(1)

    def test_escape_closes_the_drawer_and_gives_the_focus_back(self, chat: Watched) -> None:
        chat.ask("list open deals").locator("td .link").first.click()
        drawer = chat.page.locator("#drawer")
        expect(drawer.locator("h2").first).to_be_visible()
        expect(chat.page.get_by_role("button", name="Close")).to_be_focused()
        chat.page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()
        expect(chat.page.get_by_label("Your question")).to_be_focused()

    def test_the_drawers_own_button_closes_it(self, chat: Watched) -> None:
        chat.ask("list open deals").locator("td .link").first.click()
        chat.page.get_by_role("button", name="Close").click()
        expect(chat.page.locator("#drawer")).to_be_hidden()


class TestMemory:
    def test_thumbs_are_kept_in_the_database_and_can_be_taken_back(self, chat: Watched) -> None:
        answer = chat.ask("How many tickets are open?")
        newest = "SELECT rating FROM turn ORDER BY id DESC LIMIT 1"
        good, bad = answer.get_by_role("button", name="Good answer"), answer.get_by_role("button", name="Bad answer")
        for button, kept in ((good, 1), (bad, -1)):
            button.click()
            expect(button).to_have_attribute("aria-pressed", "true")
            assert chat.site.value(newest) == kept
        expect(good).to_have_attribute("aria-pressed", "false")
        bad.click()
        expect(bad).to_have_attribute("aria-pressed", "false")
        assert chat.site.value(newest) is None

    def test_a_conversation_is_listed_and_reopened_after_a_reload(self, chat: Watched) -> None:
        question = "How many companies are in EMEA?"
        answer = chat.ask(question)
        said = answer.locator("p").first.inner_text()
        answer.get_by_role("button", name="Good answer").click()
        chat.ask("and in APAC?")
        chat.page.reload()
        expect(chat.page.locator(".welcome")).to_be_visible()
        chat.page.locator("#threads button", has_text=question).first.click()
        expect(chat.page.locator(".mine")).to_have_text([question, "and in APAC?"])
        expect(chat.page.locator(".theirs").first.locator("p").first).to_have_text(said)
        expect(chat.page.locator(".theirs").first.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
        expect(chat.page.locator('#threads button[aria-current="true"]')).to_have_count(1)

    def test_a_reopened_conversation_goes_on_where_it_was(self, chat: Watched) -> None:
        chat.ask("How many open deals are there?")
        chat.page.reload()
        chat.page.locator("#threads button").first.click()
        expect(chat.page.locator(".theirs .after")).to_have_count(1)
        assert chat.ask("and by rep?").locator("tbody tr").count() > 1

    def test_a_new_conversation_forgets_the_old_one(self, chat: Watched) -> None:
        chat.ask("How many open deals are there?")
        chat.page.get_by_role("button", name="New conversation").click()
        expect(chat.page.locator(".welcome")).to_be_visible()
        expect(chat.page.locator(".mine")).to_have_count(0)
        answer = chat.ask("How did you get that?")
        expect(answer).to_contain_text("no ")
        expect(answer).not_to_contain_text("all deals")


class TestLook:
    def _overflow(self, page: Page) -> int:
        return int(page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def test_a_phone_needs_no_scrolling_sideways(self, opened: Opener) -> None:
        chat = opened(viewport={"width": 390, "height": 780})
        assert self._overflow(chat.page) <= 0
        for message in ("open pipeline by rep", "list open deals", "how many " + "verylongwordwithoutanybreak" * 6 + " do we have"):
            chat.ask(message)
            assert self._overflow(chat.page) <= 0, message
        send = chat.page.get_by_role("button", name="Ask", exact=True).bounding_box()
        assert send is not None and send["x"] + send["width"] <= 390

    def test_on_a_phone_conversations_are_behind_a_button_and_a_record_fills_the_page(self, opened: Opener) -> None:
        chat = opened(viewport={"width": 390, "height": 780})
        threads = chat.page.get_by_role("navigation", name="Conversations", include_hidden=True)
        expect(threads).to_be_hidden()
        chat.ask("list open deals").locator("td .link").first.click()
        expect(chat.page.locator("#drawer h2").first).to_be_visible()
        assert self._overflow(chat.page) <= 0
        chat.page.keyboard.press("Escape")
        chat.page.get_by_role("button", name="Conversations").click()
        expect(threads).to_be_visible()
        threads.get_by_role("button").first.click()
        expect(threads).to_be_hidden()

    def test_a_dark_scheme_changes_the_colours(self, opened: Opener) -> None:
        colours = {}
        for scheme in ("light", "dark"):
            page = opened(color_scheme=scheme).page
            colours[scheme] = [page.evaluate(f"() => getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")]
        assert colours["light"][0] != colours["dark"][0]
        brightness = {scheme: [sum(int(part) for part in value.strip("rgb()").split(",")[:3]) for value in pair] for scheme, pair in colours.items()}
        assert brightness["light"][0] > 600 > 200 > brightness["dark"][0]
        assert brightness["light"][1] < brightness["dark"][1]

    def test_everything_that_can_be_pressed_has_a_name(self, chat: Watched) -> None:
        chat.ask("open pipeline by rep")
        buttons = chat.page.get_by_role("button").all()
        assert len(buttons) > 5
        for button in buttons:
            assert (button.get_attribute("aria-label") or button.inner_text()).strip()


class TestHostileText:
    @pytest.mark.parametrize(
        "message",
        [
            "what is going on with Evilsoft?",
            "what was said about the zeppelin hangar?",
            "list companies without domain or named Evilsoft",
            f"how many {HOSTILE} are there?",
        ],
    )
    def test_markup_is_shown_as_text_and_runs_nothing(self, chat: Watched, message: str) -> None:
        chat.ask(message)
        expect(chat.page).to_have_title("Rapport")
        for tag in ("#log img", "#log script", "#log iframe"):
            expect(chat.page.locator(tag)).to_have_count(0)

    def test_a_hostile_record_is_text_in_table_card_drawer_and_list_of_conversations(self, chat: Watched) -> None:
        card = chat.ask("what is going on with Evilsoft?")
        expect(card).to_contain_text("<img src=x onerror=")
        cited = chat.ask("what was said about the zeppelin hangar?")
        cited.locator(".cites .link").first.click()
        drawer = chat.page.locator("#drawer")
        expect(drawer.locator("h2").first).to_contain_text("<img src=x onerror=")
        expect(drawer.locator("img, script")).to_have_count(0)
        chat.page.keyboard.press("Escape")
        chat.page.get_by_role("button", name="New conversation").click()
        chat.ask(f"{HOSTILE[:30]} how many open deals?")
        expect(chat.page.locator("#threads")).to_contain_text("<img src=x onerror=")
        expect(chat.page.locator("#threads img")).to_have_count(0)
        expect(chat.page).to_have_title("Rapport")

    def test_the_rules_of_the_page_hold_back_scripts_of_others(self, chat: Watched) -> None:
        response = chat.page.goto(chat.site.address)
        assert response is not None
        rules = response.headers["content-security-policy"]
        assert "script-src 'self'" in rules
        assert "unsafe" not in rules
