"""Settings of the actions service."""

from datetime import timedelta

from pydantic import field_validator

from shared.settings import ServiceSettings

LEAST_RECIPIENTS_KEPT = timedelta(days=7)
"""Less is taken for a mistake: a number alone is seconds."""


class Settings(ServiceSettings):
    """Settings of actions, `RETURPOST_ACTIONS_...`."""

    http_port: int = 8104
    ingest_url: str = "http://127.0.0.1:8101"
    """URL of ingest, which validates corrected addresses."""
    oidc_issuer: str = ""
    """URL of the OpenID Connect provider at which users may sign in; empty: passwords alone."""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_name: str = "OpenID Connect"
    """Name of the provider on the sign-in page."""
    oidc_claim: str = "email"
    """Claim of the provider's ID token that is the user's name."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of the console and of proxies, as JSON, whose `X-Forwarded-For` says where a sign-in comes from."""
    resend_after: timedelta = timedelta(minutes=2)
    """A command of an operation that is not answered for so long is sent again."""
    clock_tolerance: timedelta = timedelta(minutes=15)
    """How far the time of a requested operation may be ahead; not further than the blocklist allows."""
    operations_idle: timedelta = timedelta(milliseconds=250)
    """Pause of the engine and of the export workers when there is nothing to do."""
    delete_grace: timedelta = timedelta(0)
    """How long a confirmed deletion waits before it begins, and can be cancelled."""
    previews_kept: timedelta = timedelta(hours=1)
    """How long a preview that nobody confirmed is kept."""
    exports_kept: timedelta = timedelta(days=7)
    """How long the file of an export can be downloaded."""
    operations_kept: timedelta = timedelta(days=90)
    """How long the rows of an ended operation are kept, and it can be undone. The audit stays."""
    recipients_kept: timedelta = timedelta(0)
    """How long the recipients of a mailing are kept after the last thing that happened to it, `P400D` for example and
    `P7D` at least; 0: for ever. Its statistics stay, and no longer change."""
    export_silence: timedelta = timedelta(seconds=30)
    """An export worker that reports nothing for so long has died: another one writes the file."""
    statistics_pause: timedelta = timedelta(seconds=5)
    """A mailing that changes is aggregated again at the earliest after this, and after fifty times what that took."""
    stop_signal_settle: timedelta = timedelta(seconds=30)
    """How long after its end a minute counts for the thresholds of a mailing: its results come in, and a storm of a
    receiving domain is recognised."""

    @field_validator("recipients_kept")
    @classmethod
    def _long_enough_or_for_ever(cls, kept: timedelta) -> timedelta:
        if kept and kept < LEAST_RECIPIENTS_KEPT:
            raise ValueError("at least P7D, or 0 for ever")
        return kept
