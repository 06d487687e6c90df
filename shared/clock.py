"""The one rule for clocks: what a message says happened may be ahead of this clock by a tolerance, and no further."""

from datetime import datetime, timedelta

from returpost.errors import InvalidMessage


def check_not_in_future(moment: datetime, now: datetime, tolerance: timedelta) -> None:
    """Raise `InvalidMessage` for a time that is ahead of `now` by more than the tolerance."""
    if moment > now + tolerance:
        raise InvalidMessage(f"data.time: {moment.isoformat()} is in the future; set the clock right")
