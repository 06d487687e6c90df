"""The columns that an export may have, with what they are called and where their values come from. No I/O."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Language(StrEnum):
    """Of headings."""

    ENGLISH = "en"
    NORWEGIAN = "nb"


class Column(StrEnum):
    """A column, by its name in the rows of the query `page`."""

    TYPE = "type"
    NAME = "name"
    ADDRESS = "address"
    COMPANY = "company"
    CODE = "code"
    REASON = "reason"
    MESSAGE = "message"
    SENT = "sent"
    RETURNED = "returned"
    MAILING = "mailing"
    RETURN_COUNT = "return_count"
    BLOCKED_SINCE = "blocked_since"
    CAUSE = "cause"
    STATUS = "status"
    DOMAIN = "domain"
    CONTACT = "contact"


DEFAULT: Final = (
    Column.TYPE,
    Column.NAME,
    Column.ADDRESS,
    Column.COMPANY,
    Column.CODE,
    Column.REASON,
    Column.SENT,
    Column.RETURNED,
    Column.MAILING,
    Column.RETURN_COUNT,
    Column.BLOCKED_SINCE,
)

TITLES: Mapping[Language, Mapping[Column, str]] = {
    Language.ENGLISH: {
        Column.TYPE: "Type",
        Column.NAME: "Name",
        Column.ADDRESS: "E-mail address",
        Column.COMPANY: "Company",
        Column.CODE: "Bounce code",
        Column.REASON: "Bounce reason",
        Column.MESSAGE: "Message",
        Column.SENT: "Time sent",
        Column.RETURNED: "Time returned",
        Column.MAILING: "Mailing",
        Column.RETURN_COUNT: "Return count",
        Column.BLOCKED_SINCE: "Blocked since",
        Column.CAUSE: "Blocked because of",
        Column.STATUS: "Status",
        Column.DOMAIN: "Domain",
        Column.CONTACT: "Contact",
    },
    Language.NORWEGIAN: {
        Column.TYPE: "Type",
        Column.NAME: "Navn",
        Column.ADDRESS: "E-postadresse",
        Column.COMPANY: "Firma",
        Column.CODE: "Returkode",
        Column.REASON: "Returårsak",
        Column.MESSAGE: "Melding",
        Column.SENT: "Sendt",
        Column.RETURNED: "Returnert",
        Column.MAILING: "Utsendelse",
        Column.RETURN_COUNT: "Antall returer",
        Column.BLOCKED_SINCE: "Blokkert siden",
        Column.CAUSE: "Blokkert på grunn av",
        Column.STATUS: "Status",
        Column.DOMAIN: "Domene",
        Column.CONTACT: "Person",
    },
}
