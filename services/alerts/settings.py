"""What the alerts are told."""

from datetime import timedelta

from pydantic import Field, IPvAnyNetwork, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the alerts, `RETURPOST_ALERTS_...`."""

    http_port: int = 8106
    smtp_url: SecretStr | None = None
    """Mail server that sends alerts by e-mail: `smtps://user:password@host:465` (TLS from the first byte),
    `smtp+starttls://user:password@host:587`, or `smtp://host:25` on a network of one's own. None: no e-mail."""
    mail_from: str = "returpost@localhost"
    """Sender of these e-mails."""
    smtp_timeout: timedelta = timedelta(seconds=20)
    """Within which the mail server must have taken a message."""
    console_url: str = ""
    """Where people find the console, for the links in alerts: `https://returpost.example.com`. None: they name the
    command instead."""
    show_addresses: bool = False
    """Whether e-mail addresses may stand in alerts, where what happened names one. Tokens never do."""
    webhook_networks: tuple[IPvAnyNetwork, ...] = ()
    """Networks inside which alerts may be posted though their addresses are not public, as JSON: `["10.1.2.0/24"]`."""
    webhook_plain_http: bool = False
    """Whether alerts may be posted to `http://`, where anybody on the way can read them."""
    webhook_timeout: timedelta = timedelta(seconds=15)
    """Within which a receiver must have answered."""
    certificate_urls: tuple[str, ...] = ()
    """TLS endpoints whose certificates are watched, besides those of RabbitMQ (`amqps://`), PostgreSQL (`sslmode`), the
    mail server and the console, as JSON: `["https://hooks.example.com", "smtp+starttls://mail.example.com:25"]`;
    `imaps://`, `imap+starttls://`, `smtps://` and `amqps://` are known too."""
    certificate_notice: timedelta = timedelta(days=14)
    """How long before its end people are told of a certificate; once more two days before."""
    interval: timedelta = timedelta(seconds=1)
    """How often messages that are due are looked for."""
    log_days: int = Field(default=90, ge=1)
    """How long alerts, and what became of their messages, are kept."""
