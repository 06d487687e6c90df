"""Settings from the environment (`RETURPOST_...`) or from files (`RETURPOST_SECRETS_DIR`, one file a setting)."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from returpost.errors import InvalidSettings, words


class ServiceSettings(BaseSettings):
    """What every service is told. A service's own value, `RETURPOST_<SERVICE>_...`, goes before the common one."""

    model_config = SettingsConfigDict(env_prefix="RETURPOST_", extra="ignore", frozen=True)

    amqp_url: SecretStr = SecretStr("amqp://localhost:5672/")
    database_url: SecretStr | None = None
    database_pool: int = Field(default=6, ge=2, le=100)
    """Connections a process."""
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    """0: any free port, for tests."""
    http_fd: int | None = None
    """A listening socket that was inherited, in the place of host and port."""
    http_rate: float = Field(default=500, ge=0)
    """Requests a second that a token may make to a process, in the long run; 0: no limit."""
    http_burst: int = Field(default=2_000, ge=1)
    """Requests that a token may make at once."""
    token_keys: SecretStr = SecretStr("")
    """Keys that API tokens are signed with, at least 32 characters each, separated by commas: the first signs, all are
    accepted, so that a key can be replaced while tokens live."""
    log_level: str = "INFO"
    log_console: bool = False
    otlp_endpoint: str | None = None
    trace_sample: float = Field(default=0.01, ge=0, le=1)
    """Share of batches without a sampled parent that are traced."""
    shutdown_timeout: timedelta = timedelta(seconds=20)


S = TypeVar("S", bound=ServiceSettings)


def load(kind: type[S], service: str, **overrides: Any) -> S:
    """Read the settings of a service. Raises `InvalidSettings` that names the variables, never their values."""
    secrets = os.environ.get("RETURPOST_SECRETS_DIR") or None
    if secrets and not Path(secrets).is_dir():
        raise InvalidSettings(f"RETURPOST_SECRETS_DIR: {secrets} is not a folder")
    own = f"RETURPOST_{service.upper()}_"
    try:
        common = kind(_secrets_dir=secrets, **overrides)
        specific = kind(_secrets_dir=secrets, _env_prefix=own)
    except ValidationError as error:
        problems = "; ".join(f"RETURPOST_{str(item['loc'][0]).upper()}: {words(item)}" for item in error.errors())
        raise InvalidSettings(problems) from None
    return common.model_copy(update={name: getattr(specific, name) for name in specific.model_fields_set} | overrides)
