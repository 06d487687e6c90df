"""What tests of alerts tell of."""

from datetime import datetime, timedelta

from returpost.contracts import ReportDay, ReportPrepared


def weekly_report(now: datetime, domain: str = "fine.example") -> ReportPrepared:
    """Return the report of the week from 23 November 2026 on."""
    first = datetime(2026, 11, 23).date()  # noqa: DTZ001 - a day
    days = [
        ReportDay(day=first + timedelta(days=n), sent=1_000 * n, hard=10 * n, soft=n, complained=1) for n in range(7)
    ]
    return ReportPrepared(
        first=first,
        last=days[-1].day,
        totals={"sent": 21_000, "hard": 210, "soft": 21, "complained": 7},
        before={"sent": 20_000, "hard": 100, "soft": 0, "complained": 1},
        days=days,
        reasons={"user_unknown": 200, "mailbox_full": 31},
        domains={domain: 150},
        blocked=190,
        lifted=4,
        time=now,
    )
