"""The companies that the questions are about, made once and kept in ``build/evals``.

``python -m evals.world machinery`` makes one and prints the path of its database.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from crm_core.database import open_engine
from crm_core.settings import Settings
from evals.companies import COMPANIES, Company
from integrations.app import Rapport, assemble
from integrations.world.load import load_world

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "evals"
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)


def _fingerprint(company: Company) -> str:
    """Changes when the generator, the schema, the company's profile or what is indexed changes."""
    digest = hashlib.sha256()
    for folder in ("integrations/world", "crm_core/models", "crm_core/migrations/versions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update((ROOT / "crm_core/services/search.py").read_bytes())
    digest.update(repr((company.profile, company.seed)).encode())
    return digest.hexdigest()[:12]


def world_folder(company: Company) -> Path:
    """The folder of the company's database, made where it is missing."""
    folder = BUILD / f"{company.name}-{_fingerprint(company)}"
    ready = folder / "ready"
    if not ready.exists():
        for old in BUILD.glob(f"{company.name}-*"):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)
        engine = open_engine(f"sqlite:///{folder / 'world.db'}")
        load_world(engine, profile=company.profile, size="demo", seed=company.seed, now=NOW)
        engine.dispose()
        ready.touch()
    return folder


def open_world(company: Company = COMPANIES["software"], *, with_index: bool) -> Rapport:
    """The assembled product on an evaluation company; its vector index is built where wanted."""
    folder = world_folder(company)
    product = assemble(Settings(data_dir=folder, database_url=f"sqlite:///{folder / 'world.db'}", allow_now=True))
    if with_index:
        product.index.start()
        said = 0.0
        while product.index.state in ("opening", "building"):
            time.sleep(0.5)
            if time.monotonic() - said > 20:
                said = time.monotonic()
                print(f"building the index: {product.index.share:.0%}", file=sys.stderr, flush=True)
    return product


if __name__ == "__main__":
    print(world_folder(COMPANIES[sys.argv[1]]) / "world.db")
