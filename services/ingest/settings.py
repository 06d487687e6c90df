"""What ingest is told."""

from datetime import timedelta

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of ingest, `RETURPOST_INGEST_...`."""

    http_port: int = 8101
    clock_tolerance: timedelta = timedelta(minutes=15)
    """How far a sender's clock may be ahead; a result from further in the future would outlive every clear."""
