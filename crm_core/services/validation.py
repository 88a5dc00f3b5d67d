"""Checks of addresses that outside libraries do better than we would."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from crm_core.errors import Invalid


def check_email(text: str) -> str:
    """The normalised address; raises ``Invalid`` with the reason. No network is asked."""
    try:
        return validate_email(text.strip(), check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError as error:
        raise Invalid(f"'{text}' is not an e-mail address: {error}") from error
