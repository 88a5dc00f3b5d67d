"""The company that the questions are about, made once and kept in ``build/evals``."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from crm_core.database import open_engine
from crm_core.settings import Settings
from integrations.app import Rapport
from integrations.world.load import load_world

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "evals"
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
SEED = 7


def _fingerprint() -> str:
    """Changes when the generator, the schema or what is indexed changes."""
    digest = hashlib.sha256()
    for folder in ("integrations/world", "crm_core/models", "crm_core/migrations/versions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update((ROOT / "crm_core/services/search.py").read_bytes())
    return digest.hexdigest()[:12]


def open_world(*, with_index: bool) -> Rapport:
    """The assembled product on the evaluation company; its vector index is built where wanted."""
    folder = BUILD / f"world-{_fingerprint()}"
    ready = folder / "ready"
    if not ready.exists():
        for old in BUILD.glob("world-*"):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)
        engine = open_engine(f"sqlite:///{folder / 'world.db'}")
        load_world(engine, profile="software", size="demo", seed=SEED, now=NOW)
        engine.dispose()
        ready.touch()
    settings = Settings(data_dir=folder, database_url=f"sqlite:///{folder / 'world.db'}", allow_now=True)
    from integrations.app import assemble

    product = assemble(settings)
    if with_index:
        product.index.start()
        said = 0.0
        while product.index.state in ("opening", "building"):
            time.sleep(0.5)
            if time.monotonic() - said > 20:
                said = time.monotonic()
                print(f"building the index: {product.index.share:.0%}", file=sys.stderr, flush=True)
    return product
