"""Settings of replay."""

from datetime import timedelta

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of replay, `RETURPOST_REPLAY_...`."""

    http_port: int = 8105
    keep: timedelta = timedelta(days=60)
    """How long dead letters are kept after they arrived, were replayed or were discarded."""
