"""What a system that has run for long holds: recipients, addresses with their history, outcomes of retries."""

from bench.load.seed import FILL

TABLES = {
    **{name: FILL[name] for name in ("actions.recipients", "blocklist.addresses", "blocklist.history")},
    "classifier.outcomes": (
        """INSERT INTO classifier.outcomes (recipient, time, state)
        SELECT substring(sha256(convert_to($1 || n, 'UTF8')) FROM 1 FOR 16), timestamptz '2026-11-01', 'recovered'
        FROM generate_series(0, $2::bigint - 1) AS n""",
    ),
}
"""What is written for tenant $1 and $2 addresses, by table: two recipients an address, and every address blocked."""
