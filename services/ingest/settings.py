"""What ingest is told."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of ingest, `RETURPOST_INGEST_...`."""

    http_port: int = 8101
    clock_tolerance: timedelta = timedelta(minutes=15)
    """How far a sender's clock may be ahead; a result from further in the future would outlive every clear."""
    dns_servers: str = ""
    """Addresses of the name servers that are asked about new addresses' domains, by commas; none: the machine's."""
    dns_port: int = Field(default=53, ge=1, le=65535)
    lists_dir: Path | None = None
    """Folder with own domains.txt, roles.txt or disposable.txt in the place of the packaged ones."""
