"""Settings from the environment (`RETURPOST_...`) or from files (`RETURPOST_SECRETS_DIR`, one file a setting)."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from returpost.errors import InvalidSettings, words


class ServiceSettings(BaseSettings):
    """Settings that every service has. A service's own value, `RETURPOST_<SERVICE>_...`, overrides the common one."""

    model_config = SettingsConfigDict(env_prefix="RETURPOST_", extra="ignore", frozen=True)

    amqp_url: SecretStr = SecretStr("amqp://localhost:5672/")
    """Brokers, user, password and vhost: `amqp://user:password@a:5672,b:5672/vhost` names the nodes of a cluster."""
    database_url: SecretStr | None = None
    """PostgreSQL server, user, password and database; services without a database need none."""
    database_pool: int = Field(default=6, ge=2, le=100)
    """Database connections per process."""
    http_host: str = "127.0.0.1"
    """Address that the HTTP API listens on."""
    http_port: int = Field(default=0, ge=0, le=65535)
    """Port of the HTTP API; 0: any free port."""
    http_fd: int | None = None
    """File descriptor of an inherited listening socket, instead of host and port."""
    http_rate: float = Field(default=500, ge=0)
    """Sustained requests per second, token and process; 0: no limit."""
    http_burst: int = Field(default=2_000, ge=1)
    """Requests that a token may make at once."""
    http_connections: int = Field(default=1_000, ge=10)
    """Connections that a process has at a time; of more, those that wait for a request longest are closed."""
    http_connections_per_client: int = Field(default=250, ge=2)
    """The same for the connections from one address; behind a proxy that is the proxy's."""
    token_keys: SecretStr = SecretStr("")
    """Keys that sign API tokens, comma-separated, at least 32 characters each. The first signs, all verify: a key
    can be replaced while its tokens live."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR. DEBUG may log addresses."""
    log_console: bool = False
    """Log text for a terminal instead of JSON lines."""
    breaker_failures: int = Field(default=20, ge=1)
    """Events of one queue that may fail within `breaker_seconds`; at that many the consumer pauses."""
    breaker_seconds: float = Field(default=60, gt=0)
    """Seconds over which failures are counted."""
    breaker_share: float = Field(default=0.05, gt=0, le=1)
    """Fraction of the last `breaker_events` events of a queue that may fail."""
    breaker_events: int = Field(default=1_000, ge=10)
    """Events of a queue over which the fraction is taken."""
    otlp_endpoint: str | None = None
    """OpenTelemetry collector (OTLP over HTTP) that spans are exported to; none: no export."""
    trace_sample: float = Field(default=0.01, ge=0, le=1)
    """Fraction of batches that are traced when no sampled parent arrives with them."""
    shutdown_timeout: timedelta = timedelta(seconds=20)
    """Time for work in hand before a stopping process closes its connections."""


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
        problems = "; ".join(f"{_named(str(item['loc'][0]), own)}: {words(item)}" for item in error.errors())
        raise InvalidSettings(problems) from None
    return common.model_copy(update={name: getattr(specific, name) for name in specific.model_fields_set} | overrides)


def _named(field: str, own: str) -> str:
    """Return the variable that set a field: the service's own where there is one, since that overrides."""
    specific = f"{own}{field.upper()}"
    return specific if specific in os.environ else f"RETURPOST_{field.upper()}"
