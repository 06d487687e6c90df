"""Every bound of every input in one table, made from the constants that hold them."""

from datetime import timedelta

from returpost.bounces.events import rows
from returpost.bounces.providers import payload
from services.actions.contacts import csv_import
from services.actions.users import attempts, domain, http as users
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.checks.domains.handlers import MAX_BLOCKS
from services.blocklist.suppression_files import entry, lines
from services.ingest.mail_sources import ingestion
from services.ingest.validation import http as validation
from services.ingest.webhooks import http as webhooks
from shared import pacing
from shared.http import connections, max_body, spooled_answer
from shared.settings import ServiceSettings

_HEAD = """# Limits

Made by `python -m deploy.generate` from the constants in the code. What exceeds a limit is refused with the status that
is given, or named in the answer; nothing of it is taken unless the answer says so.

| input | limit | beyond it | test |
|---|---|---|---|
"""
_Row = tuple[str, str, str, str]


def limits_reference() -> str:
    """Return the page."""
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in limits())


def limits() -> list[_Row]:
    """Return input, limit, what is answered beyond it, and the test that shows it."""
    default = ServiceSettings.model_fields
    bodies, bounded = (
        "test_a_body_is_bounded_by_the_limit_of_its_path",
        "test_health_answers_while_a_hostile_body_is_read",
    )
    return [
        ("head of a request", _size(connections.MAX_HEAD), "431", "test_a_head_is_bounded"),
        ("headers", f"{connections.MAX_HEADERS}", "431", "test_a_head_is_bounded"),
        (
            "time to a whole head",
            _time(connections.HEAD_SECONDS),
            "408",
            "test_a_head_that_does_not_come_is_not_waited_for",
        ),
        (
            "connections of a process",
            f"{default['http_connections'].default:,} (`RETURPOST_HTTP_CONNECTIONS`)",
            "waiting ones are closed, then 503",
            "test_idle_connections_make_room_for_those_that_ask",
        ),
        (
            "connections of one address",
            f"{default['http_connections_per_client'].default:,} (`RETURPOST_HTTP_CONNECTIONS_PER_CLIENT`)",
            "waiting ones are closed, then 503",
            "test_connections_that_are_busy_are_kept_and_more_are_refused",
        ),
        (
            "requests of one token",
            f"{default['http_rate'].default:,} a second (`RETURPOST_HTTP_RATE`)",
            "429",
            "test_a_caller_is_told_and_refused_and_others_are_not",
        ),
        ("answer that is not read", _time(connections.STALLED_SECONDS), "closed", ""),
        ("body", _size(max_body.MAX_BODY), "413", bodies),
        ("body that is read as it comes", _size(max_body.MAX_STREAM), "413", ""),
        ("such bodies at a time", f"{max_body.MAX_STREAMS}", "503", ""),
        (
            "time of a body",
            f"{_time(max_body.GRACE)}, then {max_body.MIN_RATE:,} bytes/s",
            "408",
            "test_a_body_that_comes_too_slowly_is_refused",
        ),
        ("bodies of a process together", _size(max_body.MAX_BODIES), "503", "test_all_bodies_together_are_bounded"),
        ("values of a JSON body", f"{max_body.MAX_VALUES:,}", "413", bodies),
        ("body of a sign-in", _size(users.MAX_SIGN_IN), "413", bounded),
        ("work before others are let in", _time(pacing.SLICE), "", "test_others_run_between_slices"),
        (
            "line of a list",
            _size(lines.MAX_LINE),
            "a fault of the row",
            "test_a_line_that_is_too_long_is_cut_and_the_next_is_whole",
        ),
        ("address of a list, as written", f"{entry.MAX_WRITTEN:,} characters", "a fault of the row", ""),
        ("answer to a list", _size(spooled_answer.MAX_ANSWER), "413", ""),
        (
            "addresses of a check or a command",
            f"{MAX_ADDRESSES:,}",
            "422",
            "test_every_answer_is_one_that_is_documented",
        ),
        ("blocked domains of a tenant", f"{MAX_BLOCKS:,}", "422", ""),
        (
            "addresses of a validation",
            f"{validation.MAX_ADDRESSES:,} of {validation.MAX_CHARACTERS:,} characters",
            "422",
            "test_every_answer_is_one_that_is_documented",
        ),
        ("lines of a CSV of contacts", f"{csv_import.MAX_LINES:,}", "422", bounded),
        (
            "delivery results of a body",
            f"{rows.MAX_RESULTS:,}, {rows.MAX_VALUES:,} values",
            "422",
            "test_a_body_that_holds_no_results_is_refused",
        ),
        ("line of a delivery result", _size(rows.MAX_ROW), "a fault of the row", bounded),
        ("body of a provider", _size(webhooks.MAX_WEBHOOK), "413", bounded),
        (
            "events of a provider's body",
            f"{payload.MAX_EVENTS:,}, {payload.MAX_VALUES:,} values",
            "one dead letter",
            "test_a_body_of_very_many_events_is_one_that_is_kept",
        ),
        (
            "mail",
            _size(ingestion.MAX_MAIL),
            "413, or what is behind it is not read",
            "test_what_is_too_large_is_refused_for_good_and_the_connection_lives",
        ),
        (
            "wrong passwords of one name in a row",
            f"{domain.FREE_TRIES}, then a wait up to {_time(domain.LONGEST_WAIT)}",
            "429",
            "test_guesses_at_once_are_counted_one_by_one",
        ),
        ("wrong passwords of one address", f"{domain.FREE_TRIES_OF_ADDRESS}, then the same", "429", ""),
        (
            "sign-ins that wait for a hash",
            f"{attempts.MAX_WAITING}",
            "503",
            "test_who_would_wait_long_for_a_hash_is_refused",
        ),
    ]


def _size(number: int) -> str:
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if number >= factor:
            return f"{number / factor:g} {unit}"
    return f"{number} bytes"


def _time(time: float | timedelta) -> str:
    seconds = time.total_seconds() if isinstance(time, timedelta) else time
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
