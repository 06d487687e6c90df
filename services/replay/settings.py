"""What replay is told."""

from datetime import timedelta

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of replay, `RETURPOST_REPLAY_...`."""

    http_port: int = 8105
    keep: timedelta = timedelta(days=60)
    """How long letters are kept once they are replayed or discarded, and dead ones after they came."""
