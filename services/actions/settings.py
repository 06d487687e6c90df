"""What actions is told."""

from datetime import timedelta

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of actions, `RETURPOST_ACTIONS_...`."""

    http_port: int = 8104
    ingest_url: str = "http://127.0.0.1:8101"
    """Where a corrected address is checked."""
    oidc_issuer: str = ""
    """URL of the OpenID Connect provider at which users may sign in; none: passwords alone."""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_name: str = "OpenID Connect"
    """What the provider is called on the page."""
    oidc_claim: str = "email"
    """What of the provider's token is the user's name here."""
    resend_after: timedelta = timedelta(minutes=2)
    """An operation in which nothing has happened for so long has its open commands given again."""
    clock_tolerance: timedelta = timedelta(minutes=15)
    """How far the clock of who asks for an operation may be ahead; not further than the blocklist allows."""
    operations_idle: timedelta = timedelta(milliseconds=250)
    """How long the worker of operations waits before it looks again, when there is nothing to do."""
    delete_grace: timedelta = timedelta(0)
    """How long a confirmed deletion waits, and can be cancelled, before it begins."""
    previews_kept: timedelta = timedelta(hours=1)
    """After that, a preview that nobody confirmed is forgotten."""
    exports_kept: timedelta = timedelta(days=7)
    """How long the file of an export can be downloaded."""
    operations_kept: timedelta = timedelta(days=90)
    """How long the rows of an ended operation are kept: so long it can be undone. The audit stays."""
    export_patience: timedelta = timedelta(seconds=30)
    """Whoever makes a file and has said nothing for so long has died: somebody else makes it."""
    statistics_pause: timedelta = timedelta(seconds=5)
    """A mailing that changes is counted again at the earliest after this, and after fifty times what counting took."""
