"""Which ways in for mails there are: the file that `RETURPOST_INGEST_MAIL_FILE` names, TOML.

    [[recipients]]                       # whom SMTP and LMTP take mail for, and whose it is
    address = "bounces.acme.example"     # a domain, or one address; user+detail@ is user@
    tenant = "acme"
    sender = "newsletter"                # the system that sent; without it the returned message tells

    [[listeners]]
    protocol = "smtp"                    # or "lmtp"
    port = 2525

    [[mailboxes]]
    name = "acme-returns"
    host = "imap.example.com"
    user = "returns@acme.example"
    password_file = "/run/secrets/acme_returns"
    tenant = "acme"

    [[folders]]
    name = "spool"
    kind = "maildir"                     # or "mbox"
    path = "/var/mail/returns"
    tenant = "acme"

Secrets are read from files of their own. Without `tenant` the recipients decide, by the address that a mail was for.
"""

import ssl
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from returpost.contracts import Name
from returpost.contracts.addresses import normalise
from returpost.errors import InvalidAddress, InvalidSettings, words

Port = Annotated[int, Field(ge=0, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipient(_Section):
    """Whose a mail is that was sent to an address, or to any address of a domain."""

    address: str
    tenant: Name
    sender: Name | None = None
    stream: Name | None = None
    """What kind of mail returns to it, as `marketing` or `service`; without it the returned message tells."""


class Listener(_Section):
    """SMTP or LMTP. `max_...` bound what one client and all together may do; times are in seconds."""

    protocol: Literal["smtp", "lmtp"] = "smtp"
    host: str = "127.0.0.1"
    port: Port = 2525
    socket: Path | None = None
    """A UNIX socket in the place of host and port; its folder says who may connect."""
    hostname: str = "returpost.invalid"
    """What it calls itself."""
    certificate: Path | None = None
    key: Path | None = None
    """With a certificate and its key STARTTLS is offered."""
    require_tls: bool = False
    max_connections: Annotated[int, Field(ge=1)] = 200
    max_connections_per_peer: Annotated[int, Field(ge=1)] = 20
    max_mails_per_minute: Annotated[int, Field(ge=1)] = 6_000
    """Of one client."""
    max_recipients: Annotated[int, Field(ge=1)] = 100
    """RFC 5321 section 4.5.3.1.8."""
    timeout: Annotated[float, Field(gt=0)] = 60.0

    @model_validator(mode="after")
    def _tls(self) -> "Listener":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.socket and self.model_fields_set & {"host", "port", "certificate"}:
            raise ValueError("a socket has no host, port or certificate")
        if self.require_tls and self.certificate is None:
            raise ValueError("require_tls needs a certificate and its key")
        return self


class OAuth(_Section):
    """Where access tokens come from (RFC 6749 sections 4.4 and 6), by a refresh token if there is one."""

    token_url: str
    client_id: str
    client_secret_file: Path | None = None
    refresh_token_file: Path | None = None
    scope: str | None = None


class Mailbox(_Section):
    """One folder of one IMAP account."""

    name: Name
    host: str
    port: Port = 993
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    ca: Path | None = None
    """Certificates to trust, in the place of the machine's."""
    user: str
    password_file: Path | None = None
    oauth: OAuth | None = None
    folder: str = "INBOX"
    then: Literal["move", "flag", "delete"] = "move"
    """What becomes of a mail that is safely in."""
    move_to: str = "Returpost"
    flag: Annotated[str, Field(pattern=r"^\\?[A-Za-z0-9$_-]{1,60}$")] = "Returpost"
    tenant: Name | None = None
    sender: Name | None = None
    stream: Name | None = None
    idle: Annotated[float, Field(gt=0, le=1_740)] = 600.0
    """Seconds until it looks again by itself (RFC 2177: less than 29 minutes)."""
    poll: Annotated[float, Field(gt=0)] = 30.0
    """The same for a server without IDLE."""

    @model_validator(mode="after")
    def _proof(self) -> "Mailbox":
        if (self.password_file is None) == (self.oauth is None):
            raise ValueError("either password_file or oauth")
        return self


class Folder(_Section):
    """A Maildir, or a file in the mbox format, on this machine."""

    name: Name
    kind: Literal["maildir", "mbox"]
    path: Path
    tenant: Name | None = None
    sender: Name | None = None
    stream: Name | None = None
    poll: Annotated[float, Field(gt=0)] = 5.0


class MailSources(_Section):
    """All of them; none by default."""

    recipients: tuple[Recipient, ...] = ()
    listeners: tuple[Listener, ...] = ()
    mailboxes: tuple[Mailbox, ...] = ()
    folders: tuple[Folder, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> "MailSources":
        names = [mailbox.name for mailbox in self.mailboxes] + [folder.name for folder in self.folders]
        if len(set(names)) != len(names):
            raise ValueError("every mailbox and folder has a name of its own")
        if self.listeners and not self.recipients:
            raise ValueError("listeners take mail for [[recipients]] alone: name some")
        return self

    def whose(self, addresses: Iterable[str]) -> Recipient | None:
        """Return whose a mail is that was for these addresses: an address goes before its domain."""
        given = list(addresses)
        for address in given:
            if (found := self._known.get(_plain(address))) is not None:
                return found
        domains = (_plain(address).rpartition("@")[2] for address in given)
        return next((self._known[domain] for domain in domains if domain in self._known), None)

    @property
    def _known(self) -> dict[str, Recipient]:
        return {recipient.address.lower(): recipient for recipient in self.recipients}


def load(path: Path | None) -> MailSources:
    """Read the file; nothing is set up without one. Raises `InvalidSettings` that names the place."""
    if path is None:
        return MailSources()
    try:
        return MailSources.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {words(fault)}" for fault in error.errors())
        raise InvalidSettings(f"{path}: {'; '.join(faults)}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"{path}: {error}") from None


def secret(path: Path) -> str:
    """Read a secret, anew each time, so that it can be replaced. Raises `InvalidSettings`."""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path}: {error}") from None


def tls_of(listener: Listener) -> ssl.SSLContext | None:
    """Return what STARTTLS is offered with. Raises `InvalidSettings`."""
    if listener.certificate is None or listener.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(listener.certificate, listener.key)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSettings(f"{listener.certificate}, {listener.key}: {error}") from None
    return context


def _plain(address: str) -> str:
    """Return the address in lower case and without what follows a plus (RFC 5233)."""
    try:
        local, _, domain = normalise(address.strip().strip("<>")).lower().rpartition("@")
    except InvalidAddress:
        return ""
    return f"{local.partition('+')[0] or local}@{domain}"
