"""The bounce library: from the bytes of a mail, a webhook body or an SMTP reply to a verdict. No broker, no I/O.

>>> from returpost.bounces import classify, parse
>>> classify("550 5.1.1 User unknown").reason
<Reason.USER_UNKNOWN: 'user_unknown'>
>>> parse(b"From: a@example.com\\n\\nHello").reports
()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from returpost.bounces.classification import classify
    from returpost.bounces.parsing import parse
    from returpost.bounces.providers import PROVIDERS, Ignored, NormalizedResult, Unreadable, normalize
    from returpost.bounces.reports.report import ParsedMail, Report
    from returpost.bounces.return_paths import ReturnPaths

__all__ = [
    "PROVIDERS", "Ignored", "NormalizedResult", "ParsedMail", "Report", "ReturnPaths", "Unreadable", "classify",
    "normalize", "parse",
]  # fmt: skip

_HOMES = {
    "classify": "returpost.bounces.classification",
    "parse": "returpost.bounces.parsing",
    "ParsedMail": "returpost.bounces.reports.report",
    "Report": "returpost.bounces.reports.report",
    "ReturnPaths": "returpost.bounces.return_paths",
    **dict.fromkeys(
        ("PROVIDERS", "Ignored", "NormalizedResult", "Unreadable", "normalize"), "returpost.bounces.providers"
    ),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: who uses one part does not load the others."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
