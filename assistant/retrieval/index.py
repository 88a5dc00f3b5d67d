"""The parent's handle on the vector index: open, follow the event log, notice damage, rebuild.

States: ``closed`` (not started), ``opening``, ``ready``, ``building``, ``unavailable`` (with a reason). A search
is answered only in ``ready``; in any other state the caller falls back to full text and says so. Position and
collection name are kept in the database, in a ``document`` row, so that the index can never claim to be ahead
of the truth.
"""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, and_, func, or_, select

from crm_core.access import system_actor
from crm_core.context import unit_of_work
from crm_core.models import Chunk, Document, Event
from crm_core.ports import VectorHit

log = logging.getLogger(__name__)

POSITION = "vector_index"
#: Longest wait for a search; the child is restarted when it takes longer.
SEARCH_SECONDS = 10.0
#: Longest wait of a search for its turn while the index is being built; then full text answers alone.
TURN_SECONDS = 3.0
START_SECONDS = 60.0
#: Longest that a search waits for an index that is just being opened.
OPEN_SECONDS = 8.0
BUILD_SECONDS = 600.0
#: Events are read again this far back, since transactions may commit out of order.
OVERLAP = 200
#: Chunks embedded in one request to the child, so that searches need not wait long while building.
BUILD_BATCH = 256
Progress = Callable[[str, int, int], None]


class IndexUnavailable(Exception):
    """The vector index cannot answer now; the message says why, for a notice."""


class IndexSlow(IndexUnavailable):
    """The index process did not answer in time."""


class IndexBusy(IndexUnavailable):
    """The index is whole but its turn did not come in time."""


class Worker:
    """The child process and its pipe; one request at a time."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url = directory, url
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._lock = threading.Lock()
        #: Searches that wait for their turn; the builder lets them go first, since a lock is not fair.
        self.waiting = 0
        self._count = threading.Lock()

    def start(self) -> None:
        """Start the child; raises ``IndexUnavailable`` where it does not come up."""
        from assistant.retrieval.worker import serve

        self.stop()
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there, str(self.directory), self.url), daemon=True, name="rapport-index")
        process.start()
        there.close()
        self._process, self._pipe = process, here
        self._receive(START_SECONDS)

    def call(self, operation: str, *arguments: Any, seconds: float = SEARCH_SECONDS) -> Any:
        """One request; raises ``IndexUnavailable`` for an error, a time-out or a dead child, ``IndexBusy`` where its turn does not come."""
        self._wait(1)
        mine = self._lock.acquire(timeout=TURN_SECONDS if operation == "search" else -1)
        self._wait(-1)
        if not mine:
            raise IndexBusy("the index is busy being built")
        try:
            if self._pipe is None:
                raise IndexUnavailable("the index is not running")
            try:
                self._pipe.send((operation, arguments))
            except (OSError, ValueError) as error:
                self.stop()
                raise IndexUnavailable("the index process died") from error
            return self._receive(seconds)
        finally:
            self._lock.release()

    def _wait(self, change: int) -> None:
        with self._count:
            self.waiting += change

    def _receive(self, seconds: float) -> Any:
        pipe = self._pipe  # a shutdown takes it away while a request is under way
        if pipe is None:
            raise IndexUnavailable("the index is not running")
        try:
            if not pipe.poll(seconds):
                self.stop()
                raise IndexSlow("the index did not answer in time")
            status, result = pipe.recv()
        except (EOFError, OSError) as error:
            self.stop()
            raise IndexUnavailable("the index process died") from error
        if status == "error":
            raise IndexUnavailable(str(result))
        return result

    def stop(self) -> None:
        """End the child, if there is one."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.join(timeout=2)
            if process.is_alive():
                process.kill()
                process.join(timeout=5)


class Index:
    """The vector index of one database; ``search`` implements :class:`crm_core.ports.VectorIndex`."""

    def __init__(self, engine: Engine, directory: Path, *, url: str = "", owner: bool = True) -> None:
        self.engine, self.directory, self.url, self.owner = engine, directory, url, owner
        self.worker = Worker(directory, url)
        self.state = "closed"
        self.reason = ""
        #: Chunks indexed so far, and their share of all, while building.
        self.built, self.share = 0, 0.0
        self._change = threading.Lock()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._opened = threading.Event()
        self._thread: threading.Thread | None = None

    # --- life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open, mend and follow in the background; returns at once."""
        if self._thread is None:
            self.state = "opening"
            self._thread = threading.Thread(target=self._run, name="rapport-index-follower", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop following and end the child."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self.worker.stop()
        self.state = "closed"

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            try:
                if self.state != "ready":
                    self.open_or_rebuild()
                self.catch_up()
                pause = 2.0
            except IndexUnavailable as error:
                self._fail(str(error))
                pause = min(60.0, max(2.0, pause * 2))
            except Exception:
                log.exception("The index follower met an error and goes on.")
                pause = 30.0
            self._opened.set()
            self._wake.wait(pause)
            self._wake.clear()

    def _fail(self, reason: str) -> None:
        if not self._stopping.is_set():
            log.info("Vector index unavailable: %s", reason)
        self.state, self.reason = "unavailable", reason

    def open_or_rebuild(self, progress: Progress = lambda _what, _done, _all: None) -> None:
        """Open the index if it is whole, else build it anew. Raises ``IndexUnavailable`` where neither can be done."""
        with self._change:
            try:
                if self._open():
                    self._go_on(progress)
                    return
            except IndexUnavailable as error:
                if self._stopping.is_set() or isinstance(error, IndexSlow):
                    raise  # a process that was ended, or is slow, says nothing of the files
                log.warning("The vector index is damaged and is built anew: %s", error)
            if not self.owner:
                raise IndexUnavailable("the index is not built yet")
            self._begin()
            self._build(progress)

    def _go_on(self, progress: Progress) -> None:
        """Use the opened index, or finish building it where it was left unfinished."""
        position = self._position() or {}
        if position.get("below") and self.owner:
            self._build(progress)
        else:
            self.state, self.reason = "ready", ""

    def _open(self) -> bool:
        """Whether the collection on file is there, of this model, and sings."""
        position = self._position()
        if not position or not self.url and not (self.directory / "chroma.sqlite3").exists():
            return False
        self.worker.start()
        opened = self.worker.call("open", position["collection"], seconds=START_SECONDS)
        return bool(opened) and bool(self.worker.call("check", seconds=START_SECONDS)) and self.worker.call("count") >= position["count"] * 0.98

    def rebuild(self, progress: Progress = lambda _what, _done, _all: None) -> int:
        """Build the index anew from the database; returns the number of chunks."""
        with self._change:
            self._begin()
            return self._build(progress)

    def _begin(self) -> None:
        """Start an empty collection under a new name; whatever was there is given up."""
        self.state, self.reason = "building", "the index is being built"
        self.worker.stop()
        if not self.url and self.directory.exists():
            shutil.rmtree(self.directory, ignore_errors=True)
        self.worker.start()
        name = f"chunks-{int(time.time())}"
        self.worker.call("create", name, seconds=START_SECONDS)
        with unit_of_work(self.engine, system_actor(), write=False) as ctx:
            last_event = ctx.session.scalar(select(func.max(Event.id))) or 0
            newest = ctx.session.scalar(select(func.max(Chunk.id))) or 0
        self._save_position({"collection": name, "event": last_event, "count": 0, "below": newest + 1})

    def _build(self, progress: Progress) -> int:
        """Index what is missing, newest passages first; where it stops (a crash, a shutdown) it goes on next time."""
        self.state, self.reason = "building", "the index is being built"
        position = self._position()
        assert position is not None
        with unit_of_work(self.engine, system_actor(), write=False) as ctx:
            total = ctx.session.scalar(select(func.count()).select_from(Chunk)) or 0
        while position.get("below"):
            if self._stopping.is_set():
                raise IndexUnavailable("stopped while building")
            with unit_of_work(self.engine, system_actor(), write=False) as ctx:
                rows = ctx.session.execute(
                    select(Chunk.id, Chunk.noun, Chunk.record_id, Chunk.text)
                    .where(Chunk.id < position["below"])
                    .order_by(Chunk.id.desc())
                    .limit(BUILD_BATCH)
                ).all()
            while self.worker.waiting and not self._stopping.is_set():
                time.sleep(0.005)
            if rows:
                self.worker.call("add", [(row.id, f"{row.noun}:{row.record_id}", row.text) for row in rows], seconds=BUILD_SECONDS)
            position = {**position, "count": position["count"] + len(rows), "below": rows[-1].id if rows else 0}
            self._save_position(position)
            self.built = position["count"]
            self._opened.set()
            self.share = min(1.0, self.built / total) if total else 1.0
            progress("passages", self.built, max(total, self.built))
        self.worker.call("drop_others", position["collection"], seconds=START_SECONDS)
        self.state, self.reason = "ready", ""
        return int(position["count"])

    def catch_up(self) -> int:
        """Bring the index up to the event log; returns how many records were indexed again."""
        position = self._position()
        if self.state != "ready" or not position or not self.owner:
            return 0
        with unit_of_work(self.engine, system_actor(), write=False) as ctx:
            newest = ctx.session.scalar(select(func.max(Event.id))) or 0
            if newest <= position["event"]:
                return 0
            touched = ctx.session.execute(
                select(Event.noun, Event.record_id)
                .where(Event.id > position["event"] - OVERLAP, Event.id <= newest, Event.noun.in_(("activity", "ticket")))
                .distinct()
            ).all()
        for start in range(0, len(touched), 200):
            self._index_again([(row.noun, row.record_id) for row in touched[start : start + 200]])
        self._save_position({**position, "event": newest, "count": self.worker.call("count")})
        return len(touched)

    def _index_again(self, records: Sequence[tuple[str, int]]) -> None:
        wanted = or_(*(and_(Chunk.noun == noun, Chunk.record_id == key) for noun, key in records))
        with unit_of_work(self.engine, system_actor(), write=False) as ctx:
            rows = ctx.session.execute(select(Chunk.id, Chunk.noun, Chunk.record_id, Chunk.text).where(wanted)).all()
        self.worker.call(
            "replace",
            [f"{noun}:{key}" for noun, key in records],
            [(row.id, f"{row.noun}:{row.record_id}", row.text) for row in rows],
            seconds=BUILD_SECONDS,
        )

    def _position(self) -> dict[str, Any] | None:
        with unit_of_work(self.engine, system_actor(), write=False) as ctx:
            document = ctx.session.get(Document, POSITION)
            return dict(document.body) if document is not None else None

    def _save_position(self, position: dict[str, Any]) -> None:
        with unit_of_work(self.engine, system_actor(), write=True) as ctx:
            document = ctx.session.get(Document, POSITION)
            if document is None:
                document = Document(name=POSITION)
                ctx.session.add(document)
            document.body = position

    # --- search -----------------------------------------------------------------------------------------

    @property
    def notice(self) -> str:
        """What a reader of an answer should know of the index's state; empty when it is whole."""
        if self.state == "building":
            return f"The search index is {self.share:.0%} built; older passages were searched by words only."
        return ""

    def nudge(self) -> None:
        """Something was written: look at the event log soon."""
        self._wake.set()

    def search(self, text: str, *, limit: int, allowed: Sequence[int] | None) -> list[VectorHit]:
        """The nearest chunks; raises ``IndexUnavailable`` in any state but ready, and where the index answers nothing at all."""
        if self.state == "opening":
            self._opened.wait(OPEN_SECONDS)
        if self.state not in ("ready", "building") or self.state == "building" and not self.built:
            raise IndexUnavailable(self.reason or f"the index is {self.state}")
        try:
            found = self.worker.call("search", text, limit, None if allowed is None else list(allowed))
            if not found and (allowed is None or allowed) and not self.worker.call("check"):
                raise IndexUnavailable("the index lost its entries")
        except IndexBusy:
            raise
        except IndexUnavailable as error:
            self._fail(str(error))
            self.nudge()
            raise
        return [VectorHit(key, score) for key, score in found]
