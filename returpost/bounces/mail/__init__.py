"""From the bytes of a mail to what it reports: bounces in any format, complaints, automatic replies."""

from returpost.bounces.mail.parse import parse
from returpost.bounces.mail.report import ParsedMail, Report
from returpost.bounces.mail.return_paths import ReturnPaths

__all__ = ["ParsedMail", "Report", "ReturnPaths", "parse"]
