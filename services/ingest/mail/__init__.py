"""From the bytes of a mail to what it reports: bounces in any format, complaints, automatic replies."""

from services.ingest.mail.parse import parse
from services.ingest.mail.report import ParsedMail, Report

__all__ = ["ParsedMail", "Report", "parse"]
