"""What ingest is told."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from returpost.bounces.return_paths import ReturnPaths, configured
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of ingest, `RETURPOST_INGEST_...`."""

    http_port: int = 8101
    clock_tolerance: timedelta = timedelta(minutes=15)
    """How far a sender's clock may be ahead; a result from further in the future would outlive every clear."""
    dns_servers: str = ""
    """Addresses of the name servers that are asked about new addresses' domains, by commas; none: the machine's."""
    dns_port: int = Field(default=53, ge=1, le=65535)
    mail_file: Path | None = None
    """TOML that names the ways in for mails besides HTTP: see `services.ingest.mail_sources.settings`."""
    raw_messages_keep: timedelta = timedelta(days=30)
    """How long mails and webhook events are kept as they arrived; zero keeps none, and needs no database."""
    raw_messages_max_bytes: int = Field(default=10_000_000_000, ge=1_000_000)
    """Bytes of them that are kept, deflated; the oldest go first."""
    raw_messages_of_all: bool = False
    """Keep also the events of deliveries and opens, of which there are many and which nobody asks the reason of."""
    lists_dir: Path | None = None
    """Folder with own domains.txt, roles.txt or disposable.txt in the place of the packaged ones."""
    return_path_keys: SecretStr = SecretStr("")
    """Keys that senders sign return paths with, at least 32 characters each, by commas: all are good, so that one can
    be replaced while reports on what the other has signed still come in."""
    verp_patterns: str = ""
    """RE2 expressions for the part of a return path before the @, by white space, with the groups `local`, `domain`
    and, if it is told, `mailing`; they go before the usual ones."""

    @property
    def name_servers(self) -> list[str]:
        """The name servers that are asked; none: those of the machine."""
        return [server.strip() for server in self.dns_servers.split(",") if server.strip()]

    def return_paths(self) -> ReturnPaths:
        """Return how return paths are read. Raises `InvalidSettings`."""
        return configured(self.return_path_keys.get_secret_value(), self.verp_patterns)

    @property
    def keeps_raw_messages(self) -> bool:
        """Whether anything is kept as it arrived."""
        return bool(self.raw_messages_keep)
