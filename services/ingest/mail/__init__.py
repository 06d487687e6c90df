"""From the bytes of a mail to what it reports: bounces in any format, complaints, automatic replies."""

from services.ingest.mail.parse import parse
from services.ingest.mail.report import ParsedMail, Report
from services.ingest.mail.return_paths import ReturnPaths

__all__ = ["ParsedMail", "Report", "ReturnPaths", "parse"]
