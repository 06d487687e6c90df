"""What the console is told."""

from datetime import timedelta

from returpost.contracts.routing import SERVICES
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the console, `RETURPOST_CONSOLE_...`; the services' URLs are those that the command line knows."""

    http_port: int = 8100
    ingest_url: str = "http://127.0.0.1:8101"
    classifier_url: str = "http://127.0.0.1:8102"
    blocklist_url: str = "http://127.0.0.1:8103"
    actions_url: str = "http://127.0.0.1:8104"
    replay_url: str = "http://127.0.0.1:8105"
    alerts_url: str = "http://127.0.0.1:8106"
    deadline: timedelta = timedelta(seconds=2)
    """Time that a service has to answer what a page only reads; after it the page names that part as missing."""
    public_url: str = ""
    """Where browsers find the console, for the way back from an OpenID Connect provider; none: as it was asked for."""
    insecure_cookies: bool = True
    """Cookies also over plain HTTP, for a console on this machine alone; set to false behind TLS."""

    def urls(self) -> dict[str, str]:
        """Where each service is."""
        return {name: getattr(self, f"{name}_url") for name in SERVICES}
