"""Money: whole minor units and a currency; converted at stated rates; formatted at the edge only.

Rates are whole millionths of the home currency's minor unit per minor unit of the foreign currency, so that
SQL on both databases and Python round alike: ``(minor * micro + 500000) / 1000000`` (half up, amounts are
never negative).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from babel import Locale
from babel.numbers import get_currency_precision

from crm_core.errors import Invalid

MICRO = 1_000_000
#: Ten thousand million units: times any rate it still fits 64 bits, and so do sums of millions of rows.
MAX_MINOR = 10**12
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
#: For amounts that are never converted, such as a company's yearly revenue.
MAX_UNCONVERTED_MINOR = 10**15
#: Commas only between thousands: "1,50" is somebody's decimal comma and is refused, not read as 150.
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d*)?")
_KNOWN = frozenset(Locale("en").currencies)


@dataclass(frozen=True, slots=True)
class Rate:
    """One home-currency conversion: ``micro`` millionths of a home minor unit per minor unit, as of ``day``."""

    currency: str
    micro: int
    day: date

    def convert(self, minor: int) -> int:
        """Home-currency minor units, rounded half up."""
        return (minor * self.micro + MICRO // 2) // MICRO


def exponent(currency: str) -> int:
    """Decimal places of a currency: 2 for USD, 0 for JPY."""
    return int(get_currency_precision(currency))


def plain_number(text: str) -> Decimal:
    """A finite number, with commas between thousands only; raises ``ValueError`` for "1,5", which is no fifteen."""
    stripped = text.strip()
    if "," in stripped and not _THOUSANDS.fullmatch(stripped):
        raise ValueError(f"'{text}' has a comma that does not part thousands")
    try:
        number = Decimal(stripped.replace(",", ""))
    except InvalidOperation as error:
        raise ValueError(f"'{text}' is not a number") from error
    if not number.is_finite():
        raise ValueError(f"'{text}' is not a number")
    return number


def check_currency(code: str) -> str:
    """The upper-case ISO 4217 code; raises ``Invalid`` for anything else."""
    upper = code.strip().upper()
    if upper not in _KNOWN or len(upper) != 3:
        raise Invalid(f"'{code}' is not a currency code that I know; use a three-letter code such as USD or EUR.")
    return upper


def to_minor(amount: Decimal | int | str, currency: str, *, limit: int = MAX_MINOR) -> int:
    """Minor units of a decimal amount, up to ``limit``; raises ``Invalid`` for negatives, junk, and more decimals than the currency has."""
    try:
        value = plain_number(str(amount))
    except ValueError as error:
        raise Invalid(f"'{amount}' is not an amount; write it like 12500, 12,500 or 12500.50.") from error
    if value < 0:
        raise Invalid(f"An amount cannot be negative ({amount}); use zero or more.")
    places = exponent(currency)
    if value and (value.adjusted() + places > 16 or value.scaleb(places) > limit):
        raise Invalid(f"{amount} {currency} is larger than an amount may be.")
    if value and value.adjusted() < -30 or _decimals(value) > places:
        raise Invalid(f"{amount} has more decimals than {currency} allows ({places}).")
    return int(value.scaleb(places))


def _decimals(value: Decimal) -> int:
    """Decimals that are no trailing zeros, however many digits there are."""
    _sign, digits, power = value.as_tuple()
    trailing = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -int(power) - trailing)


def to_decimal(minor: int | Decimal, currency: str) -> Decimal:
    """Decimal amount of minor units."""
    return Decimal(minor).scaleb(-exponent(currency))


def format_money(minor: int | Decimal, currency: str) -> str:
    """As people write it: ``$12,500``, ``€1,204.50``, ``CHF 800``; no decimals where they are zero."""
    places = exponent(currency)
    amount = to_decimal(minor, currency).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = f"{abs(amount):,.{places}f}" if amount != amount.to_integral_value() else f"{abs(amount):,.0f}"
    symbol = _SYMBOLS.get(currency)
    return ("-" if amount < 0 else "") + (f"{symbol}{text}" if symbol else f"{currency} {text}")
