"""Settings, read from RAPPORT_* environment variables and an optional ``.env`` file.

Unsafe combinations are refused outside development, at start, with a sentence that names the setting.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from crm_core.errors import Invalid


class Settings(BaseSettings):
    """All settings of the product; ``docs/operations.md`` lists them and a test keeps that list complete."""

    model_config = SettingsConfigDict(env_prefix="RAPPORT_", env_file=".env", extra="ignore")

    environment: Literal["development", "production"] = Field(default="development", description="'production' refuses unsafe settings.")
    data_dir: Path = Field(default=Path(".rapport"), description="Where the database, the index and logs live.")
    database_url: str = Field(default="", description="SQLAlchemy address; empty means SQLite in the data directory.")
    database_pool_size: int = Field(default=10, ge=1, le=200, description="Connections a process keeps open.")
    chroma_url: str = Field(default="", description="http address of a Chroma server; empty means an index in the data directory.")
    model: str = Field(default="embedded", description="'embedded', or 'openai:NAME' for any OpenAI-compatible model.")
    model_base_url: str = Field(default="", description="Base address of an OpenAI-compatible server.")
    model_api_key: SecretStr = Field(default=SecretStr(""), description="Key for that server.")
    model_use: Literal["off", "unsure", "always"] = Field(
        default="unsure", description="When the model is asked: never, only where the embedded model is not sure of its reading, or always."
    )
    model_token_budget: int = Field(
        default=8000, ge=1000, le=200_000, description="Most tokens (estimated at four characters each) that one prompt may have."
    )
    model_input_price: Decimal = Field(default=Decimal(), ge=0, description="Price of a million tokens sent, in the currency that you pay in.")
    model_output_price: Decimal = Field(default=Decimal(), ge=0, description="Price of a million tokens received.")
    model_timeout_seconds: float = Field(default=20.0, gt=0, le=300, description="Longest wait for one model call.")
    host: str = Field(default="127.0.0.1", description="Address the server listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port the server listens on.")
    public_url: str = Field(default="", description="Address that users see, for links; empty means host and port.")
    allow_now: bool = Field(default=False, description="Lets a chat request set its own clock (evaluation and demo only).")
    slack_bot_token: SecretStr = Field(default=SecretStr(""), description="xoxb- token of the Slack app.")
    slack_app_token: SecretStr = Field(default=SecretStr(""), description="xapp- token, for Socket Mode.")
    slack_signing_secret: SecretStr = Field(default=SecretStr(""), description="Signing secret, for HTTP mode.")
    slack_api_url: str = Field(default="https://slack.com/api/", description="Slack's Web API; a local fake in tests.")
    max_message_chars: int = Field(default=8000, ge=100, description="Longest chat message, in characters.")

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Settings:
        if self.environment == "production":
            if self.allow_now:
                raise ValueError("RAPPORT_ALLOW_NOW must be off in production: it lets a caller set the clock.")
            if not self.address.startswith("https://"):
                raise ValueError("RAPPORT_PUBLIC_URL must start with https:// in production.")
        return self

    @property
    def database(self) -> str:
        """The effective database address."""
        return self.database_url or f"sqlite:///{self.data_dir / 'rapport.db'}"

    @property
    def index_dir(self) -> Path:
        """Where the embedded vector index lives."""
        return self.data_dir / "index"

    @property
    def address(self) -> str:
        """The address that users see, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def address_local(self) -> str:
        """Where a process on this machine reaches the server."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.port}"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; raises ``Invalid`` with one sentence where a value is refused."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValueError as error:
        details: list[Any] = getattr(error, "errors", list)()
        told = [
            f"{'RAPPORT_' + str(item['loc'][0]).upper() + ': ' if item['loc'] else ''}{item['msg'].removeprefix('Value error, ')}" for item in details
        ]
        raise Invalid(f"A setting cannot be used: {('; '.join(told) or str(error)).rstrip('.')}.") from error
