"""Prometheus metrics, counted a batch at a time; no label holds an address, a tenant or an id."""

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

EVENTS_IN = Counter("returpost_events_in_total", "Events taken from a queue", ["queue", "outcome"])
"""outcome: processed, rejected (broke its contract), failed (its handler raised)."""
BATCH_EVENTS = Histogram(
    "returpost_batch_events", "Events a batch", ["queue"], buckets=(1, 2, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000)
)
BATCH_SECONDS = Histogram("returpost_batch_seconds", "Seconds a batch, from decoding to acknowledgement", ["queue"])
LAG_SECONDS = Gauge("returpost_lag_seconds", "Age of the oldest event of the last batch when it was done", ["queue"])
PAUSED = Gauge("returpost_consumer_paused", "1 while the consumer is paused: database or broker unavailable", ["queue"])
BREAKER_OPEN = Gauge(
    "returpost_breaker_open", "1 while the consumer is paused because too many events failed", ["queue"]
)
STOPPED = Gauge("returpost_consumer_stopped", "1 while an operator has paused the consumer", ["queue"])
PREFETCH = Gauge("returpost_prefetch_messages", "Messages that may be unacknowledged", ["queue"])
PUBLISHED = Counter("returpost_messages_published_total", "Messages confirmed by RabbitMQ")
OUTBOX_ROWS = Gauge("returpost_outbox_rows", "Messages committed and not yet known to be published")
STORMS = Counter("returpost_storms_total", "Storms of bounces that were noticed", ["kind"])
WEBHOOK_POSTS = Counter("returpost_webhook_posts_total", "Messages posted to webhooks of CRMs", ["outcome"])
"""outcome: delivered, again, disable."""
ALERT_MESSAGES = Counter("returpost_alert_messages_total", "Messages with alerts to people", ["kind", "outcome"])
"""kind: email, webhook, slack, teams; outcome: sent, again, failed."""
CERTIFICATE_EXPIRES = Gauge(
    "returpost_certificate_expires_timestamp_seconds",
    "Until when the certificate of a TLS endpoint is valid",
    ["endpoint"],
)
TOKENS_ENDING = Gauge("returpost_tokens_ending", "Long-lived tokens, of all tenants, that end within 14 days")
DEAD_LETTERS = Gauge("returpost_dead_letters", "Dead letters that are kept", ["state"])
REPLAYS_PAUSED = Gauge("returpost_replay_jobs_paused", "Replays that are paused: dead letters failed again, or by hand")
STORMS_OPEN = Gauge("returpost_storms_open", "Storms of bounces that go on, of all tenants")


def metrics_response() -> Response:
    """Return all metrics in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
