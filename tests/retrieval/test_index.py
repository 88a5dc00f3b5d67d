"""The vector index on a tiny company: what it finds, whose words it shows, how it follows, and what it survives.

Each test works on a copy of one database and of the index that was built for it once. Proxies point to a closed
port and the home folder is empty, so that a model fetched from anywhere would fail the tests. Whatever is broken,
the same is asked: this process lives, a search answers from full text with a notice, and the index mends itself.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from assistant.retrieval import index as index_module
from assistant.retrieval.index import POSITION, Index, IndexUnavailable
from assistant.retrieval.search import Passages, SearchInteractions, search_interactions
from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.database import open_engine
from crm_core.metrics.filters import Filter
from crm_core.metrics.question import Days
from crm_core.models import Activity, Chunk, Company, Document, User
from crm_core.ports import VectorHit, VectorIndex
from integrations.world.generate import Size
from integrations.world.load import load_world

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
#: Longest that mending may take here.
SECONDS = 30.0
MONEY = "Their finance lead fears that the yearly fee is more than they can afford."
SAFETY = "Asked for proof that records are encrypted and kept inside the Union."
#: Asks for ``MONEY`` without a word of it.
PARAPHRASE = "concerned about high costs"
WORDS_ONLY = "Searched by words only"


@dataclass
class Desk:
    """A database, its index, and who is who."""

    engine: Engine
    index: Index
    people: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)

    def search(self, query: str, *, who: str = "admin", index: VectorIndex | None = None, **more: object) -> Passages:
        """Search as somebody."""
        with unit_of_work(self.engine, self.people[who], write=False, now=NOW) as ctx:
            return search_interactions(ctx, SearchInteractions.model_validate({"query": query, **more}), index or self.index)

    def log(self, body: str, *, owner: str = "rep") -> int:
        """A note that somebody wrote; its number."""
        with unit_of_work(self.engine, system_actor(), write=True, now=NOW, door="test") as ctx:
            record = note(body, self.people[owner], None)
            ctx.session.add(record)
            ctx.session.flush()
            return record.id

    def change(self, key: int, change: Callable[[Activity], None]) -> None:
        """Change a note."""
        with unit_of_work(self.engine, system_actor(), write=True, now=NOW, door="test") as ctx:
            record = ctx.session.get_one(Activity, key)
            change(record)
            record.updated_at = NOW

    def chunks(self) -> int:
        """Passages that should be indexed."""
        with unit_of_work(self.engine, system_actor(), write=False) as ctx:
            return ctx.session.scalar(select(func.count()).select_from(Chunk)) or 0

    def position(self) -> dict[str, object]:
        """How far the index says it is."""
        with unit_of_work(self.engine, system_actor(), write=False) as ctx:
            return dict(ctx.session.get_one(Document, POSITION).body)

    def ready(self) -> Desk:
        """Wait for a whole index: ready, complete, and heard to find the known passage."""
        wait_until(lambda: self.index.state == "ready", lambda: f"the index is {self.index.state}: {self.index.reason}")
        wait_until(lambda: self.finds(PARAPHRASE, self.known["money"]), lambda: f"not found; {self.index.state}: {self.index.reason}")
        assert self.index.worker.call("count") == self.chunks()
        return self

    def finds(self, query: str, key: int) -> bool:
        """Whether the index itself, without help from words, leads to a record."""
        found = self.search(query)
        return not found.notices and key in [item.id for item in found.found if item.noun == "activity"]

    def answers_by_words(self) -> None:
        """A search answers now, from full text where the index cannot, and then says so."""
        found = self.search("records are encrypted")
        assert self.known["safety"] in [item.id for item in found.found]
        assert found.notices == [] or found.notices[0].startswith((WORDS_ONLY, "The search index is"))


def wait_until(happened: Callable[[], bool], otherwise: Callable[[], str], seconds: float = SECONDS) -> None:
    """Look until something has happened; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:.0f} s: {otherwise()}")
        time.sleep(0.05)


def note(body: str, owner: int, company: int | None) -> Activity:
    """A note."""
    return Activity(
        kind="note", subject="Talk", body=body, custom={}, owner_id=owner, company_id=company,
        occurred_at=NOW - timedelta(days=2), created_at=NOW, updated_at=NOW,
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def no_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Nothing outside this machine can be reached, here and in children; the home folder is empty."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        yield home


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, no_network: Path) -> Desk:
    """The company with two notes of a rep's and one of a stranger's, and a whole index; closed, for copying."""
    folder = tmp_path_factory.mktemp("original")
    engine = open_engine(f"sqlite:///{folder / 'world.db'}")
    load_world(engine, size=Size(6, 12, 3.0, 2), seed=7, now=NOW)
    desk = Desk(engine, Index(engine, folder / "index"))
    with unit_of_work(engine, system_actor(), write=True, now=NOW, door="test") as ctx:
        reps = ctx.session.scalars(select(User).where(User.role == "rep").order_by(User.id)).all()
        rep, stranger = next((one, two) for one in reps for two in reps if one.team_id != two.team_id)
        admin = ctx.session.scalars(select(User).where(User.role == "admin")).first()
        assert admin is not None
        desk.people = {"admin": admin.id, "rep": rep.id, "stranger": stranger.id}
        companies = ctx.session.scalars(select(Company.id).order_by(Company.id)).all()
        for name, body, owner, company in (
            ("money", MONEY, rep, companies[0]),
            ("safety", SAFETY, rep, companies[1]),
            ("theirs", MONEY.replace("finance lead", "treasurer"), stranger, companies[2]),
        ):
            record = note(body, owner.id, company)
            ctx.session.add(record)
            ctx.session.flush()
            desk.known[name] = record.id
        desk.known["company"] = companies[0]
    assert desk.index.rebuild() == desk.chunks()
    desk.index.stop()
    engine.dispose()
    return desk


@contextmanager
def copy_of(original: Desk, folder: Path, *, built: bool = True, owner: bool = True) -> Iterator[Desk]:
    """A copy of one's own, not started; stopped at the end."""
    source = Path(str(original.engine.url.database))
    shutil.copyfile(source, folder / "world.db")
    if built:
        shutil.copytree(original.index.directory, folder / "index")
    engine = open_engine(f"sqlite:///{folder / 'world.db'}")
    desk = Desk(engine, Index(engine, folder / "index", owner=owner), original.people, original.known)
    if not built:
        with unit_of_work(engine, system_actor(), write=True) as ctx:
            ctx.session.delete(ctx.session.get_one(Document, POSITION))
    try:
        yield desk
    finally:
        desk.index.stop()
        engine.dispose()


@pytest.fixture
def desk(original: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A database and its whole index, not started."""
    with copy_of(original, tmp_path) as made:
        yield made


@pytest.fixture
def unbuilt(original: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A database without an index."""
    with copy_of(original, tmp_path, built=False) as made:
        yield made


@pytest.fixture(scope="module")
def running(original: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A running index for tests that only search."""
    with copy_of(original, tmp_path_factory.mktemp("running")) as made:
        made.index.start()
        yield made.ready()


class AnyIndex:
    """An index that returns whatever it is told, as a stale or tampered one might."""

    notice = ""

    def __init__(self, *keys: int) -> None:
        self.keys = keys

    def search(self, text: str, *, limit: int, allowed: Sequence[int] | None) -> list[VectorHit]:
        """All of it, whatever is allowed."""
        return [VectorHit(key, 0.99) for key in self.keys]


class TestSearch:
    def test_a_paraphrase_is_found_by_meaning_only(self, running: Desk) -> None:
        found = running.search(PARAPHRASE, who="rep")
        assert found.notices == []
        assert found.found[0].id == running.known["money"]
        with unit_of_work(running.engine, running.people["rep"], write=False, now=NOW) as ctx:
            by_words = search_interactions(ctx, SearchInteractions(query=PARAPHRASE), None)
        assert running.known["money"] not in [item.id for item in by_words.found]
        assert by_words.notices[0].startswith(WORDS_ONLY)

    def test_what_nobody_here_speaks_of_has_no_neighbour(self, running: Desk) -> None:
        for query in ("bash script permission denied run", "grandmother recipe apricot dumplings yeast"):
            assert running.search(query).found == [], query

    def test_filters_and_days_hold(self, running: Desk) -> None:
        company = [Filter(field="company", op="is", values=[running.known["company"]])]
        found = running.search(PARAPHRASE, filters=company, limit=25)
        assert running.known["money"] in [item.id for item in found.found]
        assert running.known["theirs"] not in [item.id for item in found.found]
        days = Days(first=date(2026, 11, 18), end=date(2026, 11, 19))
        assert {item.at.date() for item in running.search(PARAPHRASE, period=days, limit=25).found} == {date(2026, 11, 18)}
        assert running.search(PARAPHRASE, period=Days(first=date(2026, 11, 19), end=date(2026, 11, 20))).found == []

    @pytest.mark.parametrize(("who", "mine", "not_mine"), [("rep", "money", "theirs"), ("stranger", "theirs", "money")])
    def test_a_rep_finds_only_the_teams_words(self, running: Desk, who: str, mine: str, not_mine: str) -> None:
        for query in (PARAPHRASE, MONEY, ""):
            ids = [item.id for item in running.search(query, who=who, limit=25).found]
            assert running.known[not_mine] not in ids, query
            assert running.known[mine] in ids, query

    def test_rights_hold_whatever_the_index_returns(self, running: Desk) -> None:
        with unit_of_work(running.engine, system_actor(), write=False) as ctx:
            owned = dict(
                ctx.session.execute(
                    select(Chunk.id, Activity.owner_id).join(Activity, (Activity.id == Chunk.record_id) & (Chunk.noun == "activity"))
                ).all()
            )
            team = ctx.session.get_one(User, running.people["rep"]).team_id
            members = set(ctx.session.scalars(select(User.id).where(User.team_id == team)))
        found = running.search("xylophone", who="rep", index=AnyIndex(*owned, 999_999), limit=25).found
        assert found
        with unit_of_work(running.engine, system_actor(), write=False) as ctx:
            authors = set(ctx.session.scalars(select(Activity.owner_id).where(Activity.id.in_([item.id for item in found]))))
        assert authors <= members
        assert set(owned.values()) - members, "the index must have offered words of others"

    def test_a_stopped_index_says_so(self, unbuilt: Desk) -> None:
        found = unbuilt.search("records are encrypted")
        assert [item.id for item in found.found[:1]] == [unbuilt.known["safety"]]
        assert found.notices[0].startswith(WORDS_ONLY)


class TestFollowing:
    def test_new_edited_and_archived_notes(self, desk: Desk) -> None:
        desk.index.start()
        desk.ready()
        key = desk.log("The forklift driver broke his ankle on the icy ramp.")
        desk.index.nudge()
        wait_until(lambda: desk.finds("worker injured in an accident", key), lambda: "the new note")
        desk.change(key, lambda record: setattr(record, "body", "The orchestra plays Brahms on the terrace."))
        desk.index.nudge()
        wait_until(lambda: desk.finds("classical music concert outdoors", key), lambda: "the edited note")
        assert not desk.finds("worker injured in an accident", key)
        desk.change(key, lambda record: setattr(record, "archived_at", NOW))
        assert key not in [item.id for item in desk.search("classical music concert outdoors").found]
        desk.index.nudge()
        wait_until(lambda: desk.index.worker.call("count") == desk.chunks(), lambda: "the archived note is still indexed")
        desk.change(key, lambda record: setattr(record, "archived_at", None))
        desk.index.nudge()
        wait_until(lambda: desk.finds("classical music concert outdoors", key), lambda: "the restored note")

    def test_what_happened_while_it_was_closed(self, desk: Desk) -> None:
        key = desk.log("The forklift driver broke his ankle on the icy ramp.")
        desk.index.start()
        wait_until(lambda: desk.finds("worker injured in an accident", key), lambda: "the note")
        desk.ready()

    def test_only_its_owner_builds_it(self, original: Desk, tmp_path: Path) -> None:
        with copy_of(original, tmp_path, built=False, owner=False) as reader:
            with pytest.raises(IndexUnavailable, match="not built yet"):
                reader.index.open_or_rebuild()
            assert not reader.index.directory.exists()
            reader.answers_by_words()

    def test_an_index_of_another_model_is_built_anew(self, desk: Desk) -> None:
        with unit_of_work(desk.engine, system_actor(), write=True) as ctx:
            document = ctx.session.get_one(Document, POSITION)
            document.body = {**document.body, "collection": "chunks-0"}
        desk.index.start()
        desk.ready()
        assert desk.position()["collection"] != "chunks-0"

    def test_an_index_that_is_closed_while_it_opens_is_kept(self, desk: Desk) -> None:
        # Once a fault: the process was ended under the follower, which took that for damage and threw the index away.
        desk.index.stop()
        kept = desk.position(), files_of(desk.index.directory)
        again = Index(desk.engine, desk.index.directory)
        again._stopping.set()
        again.worker.call = lambda *_arguments, **_named: (_ for _ in ()).throw(IndexUnavailable("the index process died"))  # type: ignore[method-assign]
        with pytest.raises(IndexUnavailable, match="died"):
            again.open_or_rebuild()
        again.worker.stop()
        assert (desk.position(), files_of(desk.index.directory)) == kept


def files_of(folder: Path) -> list[Path]:
    """Every file of an index."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def delete_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def truncate_database(folder: Path) -> None:
    os.truncate(folder / "chroma.sqlite3", (folder / "chroma.sqlite3").stat().st_size // 3)


def scribble(folder: Path) -> None:
    chance = random.Random(7)
    for path in files_of(folder):
        with path.open("r+b") as stream:
            size = path.stat().st_size
            for _ in range(40):
                stream.seek(chance.randrange(max(1, size)))
                stream.write(chance.randbytes(256))


def overwrite(folder: Path) -> None:
    chance = random.Random(8)
    for path in files_of(folder):
        path.write_bytes(chance.randbytes(max(16, path.stat().st_size)))


class TestDamage:
    @pytest.mark.parametrize("damage", [delete_folder, truncate_database, overwrite])
    def test_found_when_it_is_opened(self, desk: Desk, damage: Callable[[Path], None]) -> None:
        damage(desk.index.directory)
        desk.index.start()
        desk.answers_by_words()
        desk.ready()

    @pytest.mark.parametrize("damage", [delete_folder, truncate_database, scribble, overwrite])
    def test_done_while_it_runs(self, desk: Desk, damage: Callable[[Path], None]) -> None:
        desk.index.start()
        desk.ready()
        damage(desk.index.directory)
        desk.answers_by_words()
        key = desk.log("The forklift driver broke his ankle on the icy ramp.")
        desk.index.nudge()
        desk.answers_by_words()
        wait_until(lambda: desk.finds("worker injured in an accident", key), lambda: f"the new note; {desk.index.state}: {desk.index.reason}")
        desk.ready()
        assert (desk.index.directory / "chroma.sqlite3").stat().st_size > 0


def kill(index: Index) -> None:
    """kill -9 of the child."""
    process = index.worker._process
    assert process is not None and process.pid is not None
    os.kill(process.pid, signal.SIGKILL)


class TestKilledWorker:
    def test_while_idle(self, desk: Desk) -> None:
        desk.index.start()
        desk.ready()
        kill(desk.index)
        found = desk.search("records are encrypted")
        assert found.found[0].id == desk.known["safety"]
        assert found.notices[0].startswith(WORDS_ONLY)
        collection = desk.position()["collection"]
        desk.ready()
        assert desk.position()["collection"] == collection, "nothing was broken, so nothing had to be built"

    def test_while_searching(self, desk: Desk) -> None:
        desk.index.start()
        desk.ready()
        process = desk.index.worker._process
        assert process is not None and process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)  # the search now hangs in the child
        threading.Timer(0.5, os.kill, (process.pid, signal.SIGKILL)).start()
        started = time.monotonic()
        found = desk.search("records are encrypted")
        assert 0.3 < time.monotonic() - started < 5
        assert found.found[0].id == desk.known["safety"]
        assert found.notices[0].startswith(WORDS_ONLY)
        desk.ready()

    def test_that_hangs_is_given_up(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        desk.index.start()
        desk.ready()
        process = desk.index.worker._process
        assert process is not None and process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        monkeypatch.setattr(index_module.Worker.call, "__kwdefaults__", {"seconds": 0.5})
        assert desk.search("records are encrypted").notices[0].startswith(WORDS_ONLY)
        monkeypatch.undo()
        wait_until(lambda: not process.is_alive(), lambda: "the hanging child is still there")
        desk.ready()

    def test_while_building(self, unbuilt: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(index_module, "BUILD_BATCH", 8)
        notices: list[str] = []

        def after_some(_what: str, done: int, _all: int) -> None:
            if done == 16:
                notices.extend(unbuilt.search("records are encrypted").notices)
                kill(unbuilt.index)

        with pytest.raises(IndexUnavailable, match="died"):
            unbuilt.index.open_or_rebuild(after_some)
        assert notices[0].startswith("The search index is")
        unbuilt.answers_by_words()
        assert unbuilt.position()["count"] == 16
        collection = unbuilt.position()["collection"]
        unbuilt.index.start()
        unbuilt.ready()
        assert unbuilt.position()["collection"] == collection, "the build went on where it was left"


BUILDER = """
import sys, time
from pathlib import Path
from assistant.retrieval import index
from crm_core.database import open_engine
index.BUILD_BATCH = 8
def told(_what, done, _all):
    print(done, flush=True)
    time.sleep(0.2)
index.Index(open_engine(f"sqlite:///{sys.argv[1]}"), Path(sys.argv[2])).open_or_rebuild(told)
"""


class TestKilledProcess:
    def test_the_next_one_goes_on(self, unbuilt: Desk) -> None:
        command = [sys.executable, "-c", BUILDER, str(unbuilt.engine.url.database), str(unbuilt.index.directory)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as builder:
            assert builder.stdout is not None
            told = [builder.stdout.readline().strip() for _ in range(2)]
            builder.kill()
        assert told == ["8", "16"]
        before = unbuilt.position()
        assert before["count"] in (8, 16, 24) and before["below"]
        unbuilt.answers_by_words()
        unbuilt.index.start()
        unbuilt.ready()
        after = unbuilt.position()
        assert (after["collection"], after["count"], after["below"]) == (before["collection"], unbuilt.chunks(), 0)


OWN_EMBEDDER = """
import sys
from chromadb.utils import embedding_functions as shipped
from chromadb.utils.embedding_functions import onnx_mini_lm_l6_v2 as downloaded
def forbidden(self, *_arguments, **_named):
    raise SystemExit("Chroma's own embedder was reached")
def forbidden_call(self, input):
    forbidden(self)
shipped.DefaultEmbeddingFunction.__call__ = forbidden_call
downloaded.ONNXMiniLM_L6_V2.__init__ = forbidden
downloaded.ONNXMiniLM_L6_V2._download_model_if_not_exists = forbidden
from assistant.retrieval.worker import VectorStore
store = VectorStore(sys.argv[1], "")
store.create("chunks-1")
store.add([(1, "activity:1", "The price is too high for them."), (2, "activity:2", "They ride bicycles.")])
store.replace(["activity:2"], [(3, "activity:2", "They ride horses.")])
again = VectorStore(sys.argv[1], "")
assert again.open("chunks-1") and again.check() and again.count() == 2
assert again.search("too expensive", 1, None)[0][0] == 1
assert again.search("horse riding", 1, [1, 3])[0][0] == 3
again.drop_others("chunks-1")
assert again.collection._embedding_function is None
"""


class TestOffline:
    def test_the_embedder_of_chroma_is_never_reached(self, tmp_path: Path) -> None:
        done = subprocess.run([sys.executable, "-c", OWN_EMBEDDER, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-600:]

    def test_no_model_was_fetched(self, running: Desk, no_network: Path) -> None:
        running.ready()
        assert not [path for path in no_network.rglob("*") if path.suffix in (".onnx", ".gz", ".bin", ".json")]
