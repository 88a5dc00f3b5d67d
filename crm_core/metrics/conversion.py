"""Amounts of several currencies in one: SQL that converts at the newest rate of the caller's day."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, select

from crm_core.context import Context
from crm_core.models import Deal, ExchangeRate
from crm_core.money import MICRO, Rate


def rates(ctx: Context) -> dict[str, Rate]:
    """The newest rate of each currency on the caller's day (its first rate before that), the home currency at one."""
    known: dict[str, Rate] | None = ctx.session.info.get("rates")
    if known is None:
        known = {}
        for row in ctx.session.execute(select(ExchangeRate.currency, ExchangeRate.micro, ExchangeRate.day).order_by(ExchangeRate.day)):
            if row.day <= ctx.today or row.currency not in known:
                known[row.currency] = Rate(row.currency, row.micro, row.day)
        known[ctx.home_currency] = Rate(ctx.home_currency, MICRO, ctx.today)
        ctx.session.info["rates"] = known
    return known


def home_amount(ctx: Context, column: Any, currency: Any = Deal.currency) -> Any:
    """SQL for an amount in home-currency minor units, half up, as :meth:`crm_core.money.Rate.convert` does."""
    foreign = {code: rate for code, rate in rates(ctx).items() if code != ctx.home_currency}
    if not foreign:
        return column
    # Whole millions and the rest apart, so that no product leaves 64 bits however weak the home currency is.
    whole, rest = column // MICRO, column % MICRO
    whens = {code: whole * rate.micro + (rest * rate.micro + MICRO // 2) // MICRO for code, rate in foreign.items()}
    return case(whens, value=currency, else_=column)
