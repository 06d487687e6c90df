"""Settings of replay."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of replay, `RETURPOST_REPLAY_...`."""

    http_port: int = 8105
    keep: timedelta = timedelta(days=60)
    """How long dead letters are kept after they arrived, were replayed or were discarded."""
    edit_enabled: bool = False
    """Whether administrators may edit a dead letter and replay what they made of it."""
    archive_folder: Path | None = None
    """Folder that the archive is written to before its stream loses it; none: the archive ends with the stream."""
    archive_keep: timedelta = timedelta(days=400)
    """How long the folder keeps events."""
    confirm_above: int = Field(default=1_000, ge=0)
    """Dead letters above which an action wants their number as a confirmation."""
