"""The Grafana dashboard: `python -m deploy.monitoring.dashboard` writes it, from the panels below.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

import json
import sys
from typing import Any

PANELS = (
    ("Events per second", 'sum by (queue) (rate(returpost_events_in_total{outcome="processed"}[1m]))', "ops"),
    ("Failed and rejected", 'sum by (queue) (rate(returpost_events_in_total{outcome!="processed"}[5m]))', "ops"),
    ("Lag", "max by (queue) (returpost_lag_seconds)", "s"),
    ("Paused consumers", "max by (queue) (returpost_consumer_paused)", "short"),
    ("Dead letters", "max by (state) (returpost_dead_letters)", "short"),
    ("Replays that are paused", "max(returpost_replay_jobs_paused)", "short"),
    ("Outbox", "sum by (instance) (returpost_outbox_rows)", "short"),
    (
        "Seconds per batch (p99)",
        "histogram_quantile(0.99, sum by (le, queue) (rate(returpost_batch_seconds_bucket[5m])))",
        "s",
    ),
    (
        "Events per batch",
        "sum by (queue)(rate(returpost_batch_events_sum[5m])) / sum by (queue)(rate(returpost_batch_events_count[5m]))",
        "short",
    ),
    ("Messages published", "sum by (instance) (rate(returpost_messages_published_total[1m]))", "ops"),
    ("Retry commands", "sum(rate(returpost_retries_requested_total[5m]))", "ops"),
    ("Webhooks refused", "sum by (provider, reason) (rate(returpost_webhook_refused_total[5m]))", "ops"),
    ("Open storms", "max(returpost_storms_open)", "short"),
    ("Raw messages", "max(returpost_raw_messages_bytes)", "bytes"),
)
"""Title, query, unit."""
WIDTH, HEIGHT = 12, 8
"""Of a panel, in Grafana's grid of 24 columns."""


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "title": "Returpost",
        "uid": "returpost",
        "schemaVersion": 39,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(number, *panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, title: str, query: str, unit: str) -> dict[str, Any]:
    return {
        "id": number + 1,
        "title": title,
        "type": "timeseries",
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "expr": query}],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=2) + "\n")
