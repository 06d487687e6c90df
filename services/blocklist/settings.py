"""What the blocklist is told."""

from datetime import timedelta

from pydantic import Field, IPvAnyNetwork

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the blocklist, `RETURPOST_BLOCKLIST_...`."""

    http_port: int = 8103
    clock_tolerance: timedelta = timedelta(minutes=15)
    """How far the clock of who commands may be ahead; a clear from further in the future would outlive new bounces."""
    job_chunk: int = Field(default=2_000, ge=1, le=20_000)
    """Addresses a transaction of a background job."""
    expiry_interval: timedelta = timedelta(seconds=5)
    """How often blocks that have ended, bounces that no longer count, and erasures that are due are looked for."""
    job_interval: timedelta = timedelta(seconds=1)
    """How often jobs that another process took the request for are looked for."""
    import_interval: timedelta = timedelta(seconds=1)
    """How often lists that another process received are looked for."""
    remember_erased: bool = True
    """Whether a keyed hash stays of an erased address, so that what happened before and comes late does not bring it
    back."""
    webhook_networks: tuple[IPvAnyNetwork, ...] = ()
    """Networks inside which webhooks may go though their addresses are not public, as JSON: `["10.1.2.0/24"]`."""
    webhook_plain_http: bool = False
    """Whether webhooks may go to `http://`, where anybody on the way can read them."""
    webhook_timeout: timedelta = timedelta(seconds=15)
    """Within which a receiver must have answered."""
    webhook_interval: timedelta = timedelta(seconds=1)
    """How often changed webhooks, and those that another process left, are looked for."""
    webhook_lease: timedelta = timedelta(seconds=15)
    """How long after a crash another process, or the next, takes over its webhooks."""
    webhook_log_days: int = Field(default=30, ge=4)
    """How long the log of posted messages is kept."""
    storm_bounces: int = Field(default=50, ge=2)
    """Bounces of a tenant within 15 minutes below which nothing is a storm."""
    storm_share: float = Field(default=0.5, gt=0, le=1)
    """The share of a tenant's bounces that one reason, domain or sending host must make to be a storm."""
    storm_interval: timedelta = timedelta(seconds=1)
    """How often storms are looked for."""
