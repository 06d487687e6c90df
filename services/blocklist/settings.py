"""What the blocklist is told."""

from datetime import timedelta

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the blocklist, `RETURPOST_BLOCKLIST_...`."""

    http_port: int = 8103
    clock_tolerance: timedelta = timedelta(minutes=15)
    """How far the clock of who commands may be ahead; a clear from further in the future would outlive new bounces."""
    reassess_chunk: int = Field(default=2_000, ge=1, le=20_000)
    """Addresses a transaction when a changed setting is applied to all of a tenant."""
    review_interval: timedelta = timedelta(seconds=5)
    """How often blocks that have ended, and bounces that no longer count, are looked for."""
    reassess_interval: timedelta = timedelta(seconds=1)
    """How often operations that another process took the request for are looked for."""
    import_interval: timedelta = timedelta(seconds=1)
    """How often lists that another process received are looked for."""
    storm_bounces: int = Field(default=50, ge=2)
    """Bounces of a tenant within 15 minutes below which nothing is a storm."""
    storm_share: float = Field(default=0.5, gt=0, le=1)
    """The share of a tenant's bounces that one reason, domain or sending host must make to be a storm."""
    storm_interval: timedelta = timedelta(seconds=1)
    """How often it is looked for storms."""
