"""Rows of the tables as what they stand for."""

import json

from asyncpg import Record

from returpost.contracts.enums import AlertKind, Severity
from services.alerts.domain.alert import Alert
from services.alerts.domain.channel import Channel, ChannelKind, Digest, Language
from services.alerts.domain.schedule import Quiet


def channel_of(row: Record) -> Channel:
    """Read a row of the channels."""
    start, end = row["quiet_from"], row["quiet_to"]
    return Channel(
        row["id"], row["tenant"], row["name"], ChannelKind(row["kind"]), Language(row["language"]),
        Severity(row["severity"]), frozenset(map(AlertKind, row["causes"])), frozenset(row["tenants"]),
        Digest(row["digest"]), row["digest_at"], None if start is None or end is None else Quiet(start, end),
        row["zone"], row["hold_critical"], row["weekly_report"], tuple(row["recipients"]), row["url"], row["secret"],
    )  # fmt: skip


def alert_of(row: Record) -> Alert:
    """Read a row of the alerts."""
    return Alert(
        row["id"],
        row["tenant"],
        AlertKind(row["kind"]),
        Severity(row["severity"]),
        row["occurred_at"],
        json.loads(row["facts"]),
    )
