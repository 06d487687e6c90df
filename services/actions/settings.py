"""What actions is told."""

from datetime import timedelta

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of actions, `RETURPOST_ACTIONS_...`."""

    http_port: int = 8104
    resend_after: timedelta = timedelta(minutes=2)
    """An operation in which nothing has happened for so long has its open commands given again."""
    clock_tolerance: timedelta = timedelta(minutes=15)
    """How far the clock of who asks for an operation may be ahead; not further than the blocklist allows."""
