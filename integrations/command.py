"""What the commands of the terminal share: the assembled product, whose rights they use, and refusals."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from crm_core.context import Context
    from integrations.app import Rapport

As = Annotated[
    str, typer.Option("--as", metavar="EMAIL", help="Act as this user; RAPPORT_USER, or else the first administrator.", envvar="RAPPORT_USER")
]


def stop(sentence: str, code: int = 2) -> NoReturn:
    """End the command with a sentence on stderr."""
    typer.secho(sentence, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    raise SystemExit(code)


def assemble_product(*, index_owner: bool = False) -> Rapport:
    """The product as the settings say."""
    from crm_core.settings import load_settings
    from integrations.app import assemble

    return assemble(load_settings(), index_owner=index_owner)


def user_of(product: Rapport, email: str) -> int:
    """The number of the user with this address, or of the first administrator where it is empty; raises ``NotFound``."""
    from sqlalchemy import select

    from crm_core.access import system_actor
    from crm_core.context import unit_of_work
    from crm_core.errors import NotFound
    from crm_core.models import Organisation, User
    from crm_core.services.users import user_by_email

    with unit_of_work(product.engine, system_actor(), write=False) as ctx:
        if ctx.session.scalar(select(Organisation.id)) is None:
            raise NotFound("There is no company in this database yet; run 'rapport demo' or 'rapport import DIR' first.")
        if email:
            user_id = user_by_email(ctx.session, email)
            if user_id is None:
                raise NotFound(f"There is no active user with the address {email}; 'rapport user list' shows who there is.")
            return user_id
        first = ctx.session.scalar(select(User.id).where(User.role == "admin", User.active).order_by(User.id).limit(1))
        if first is None:
            raise NotFound("There is no administrator yet; add one with 'rapport user add NAME EMAIL --role admin'.")
        return first


@contextmanager
def acting(as_: str, *, write: bool) -> Iterator[tuple[Rapport, Context]]:
    """The product and a context with a user's rights, for one call."""
    from crm_core.context import unit_of_work

    product = assemble_product()
    try:
        with unit_of_work(product.engine, user_of(product, as_), write=write, door="cli") as ctx:
            yield product, ctx
    finally:
        product.close()
