"""Rates out of counts. No I/O.

Whoever was sent to and did not come back was accepted: some senders tell of deliveries, others of failures alone.
"""

from collections.abc import Mapping
from typing import Any


def rates(counts: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the rates of counts, each between 0 and 1 for a mailing, or nothing where nothing was sent.

    Of the days of a mailing they can be above 1: what is sent on one day comes back on the next.
    """
    sent, returned = counts["sent"], counts["hard"] + counts["soft"]
    accepted = sent - returned
    return {
        "success_rate": _share(accepted, sent),
        "delivered_rate": _share(counts["delivered"], sent),
        "hard_rate": _share(counts["hard"], sent),
        "soft_rate": _share(counts["soft"], sent),
        "complaint_rate": _share(counts["complained"], accepted),
        "open_rate": _share(counts["opened"], accepted),
    }


def change(later: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> float | None:
    """Return by how much the success rate rose from one mailing to the next, or nothing without two rates."""
    now = rates(later)["success_rate"]
    before = rates(earlier)["success_rate"] if earlier else None
    return None if now is None or before is None else round(now - before, 6)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole > 0 else None
