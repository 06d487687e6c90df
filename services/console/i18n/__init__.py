"""What the console says: English in the code, other languages in gettext catalogs, compiled when it starts."""

import gettext
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError, dates, negotiate_locale, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"nb": "Norsk (bokmål)", "en": "English"}
LOCALES = {"nb": "nb_NO", "en": "en_GB"}
FALLBACK = "en"


def gettext_noop(text: str) -> str:
    """Mark a text for the catalogs where it is written; it is translated where it is shown."""
    return text


def preferred(accepted: str) -> str:
    """Return the language that a browser asks for (Accept-Language, RFC 9110 section 12.5.4), else English."""
    asked = []
    for part in accepted.split(","):
        tag, _, parameters = part.strip().partition(";")
        quality = parameters.strip().removeprefix("q=") or "1"
        asked.append((float(quality) if quality.replace(".", "", 1).isdigit() else 0.0, tag.strip().lower()))
    ordered = [tag for quality, tag in sorted(asked, key=lambda pair: -pair[0]) if quality > 0]
    spoken = ["nb" if tag.partition("-")[0] in ("nb", "no", "nn") else tag.partition("-")[0] for tag in ordered]
    return negotiate_locale(spoken, list(LANGUAGES)) or FALLBACK


@cache
def catalog(language: str) -> gettext.NullTranslations:
    """Return the compiled catalog of a language."""
    path = Path(__file__).with_name(f"{language}.po")
    with path.open("rb") as file:
        read = read_po(file, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Texts:
    """One language, one time zone: how texts, numbers and times are written for one visitor."""

    def __init__(self, language: str, zone: str = "UTC") -> None:
        self.language = language
        self.locale = Locale.parse(LOCALES[language])
        self._catalog = catalog(language)
        try:
            self.zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.zone = ZoneInfo("UTC")

    def t(self, text: str, **values: object) -> str:
        """Return a text in this language, with its `{values}`."""
        translated = self._catalog.gettext(text)
        return translated.format(**values) if values else translated

    def tn(self, one: str, many: str, n: int, **values: object) -> str:
        """Return the text for one or for many, with `{n}` as a number is written here."""
        return self._catalog.ngettext(one, many, n).format(n=self.number(n), **values)

    def number(self, value: float) -> str:
        """Write a number."""
        return numbers.format_decimal(value, locale=self.locale)

    def percent(self, share: float, digits: int = 1) -> str:
        """Write a share of 1 in per cent."""
        pattern = "0." + "0" * digits + " %" if self.language == "nb" else "0." + "0" * digits + "%"
        return numbers.format_percent(share, format=pattern, locale=self.locale)

    def change(self, share: float) -> str:
        """Write by how much a share has changed, in points of per cent with its sign."""
        points = numbers.format_decimal(abs(share) * 100, format="0.0", locale=self.locale)
        sign = "" if points.strip("0.,") == "" else "−" if share < 0 else "+"
        return f"{sign}{points}"

    def time(self, value: datetime | str | None) -> str:
        """Write a time of day with its date, short; nothing for none."""
        moment = _moment(value)
        return (
            ""
            if moment is None
            else dates.format_datetime(moment, "d. MMM y HH:mm", self.zone, self.locale)
            if (self.language == "nb")
            else dates.format_datetime(moment, "d MMM y HH:mm", self.zone, self.locale)
        )

    def clock(self, value: datetime) -> str:
        """Write a time of day with its seconds."""
        return dates.format_time(value, "HH:mm:ss", self.zone, self.locale)

    def full_time(self, value: datetime | str | None) -> str:
        """Write a time with seconds and zone."""
        moment = _moment(value)
        return "" if moment is None else dates.format_datetime(moment, "long", self.zone, self.locale)

    def date(self, value: datetime | str | None) -> str:
        """Write a date."""
        moment = _moment(value)
        return "" if moment is None else dates.format_date(moment.astimezone(self.zone), "medium", self.locale)

    def day(self, value: str) -> str:
        """Write a day that is said as in ISO 8601; anything else as it stands."""
        try:
            return dates.format_date(date.fromisoformat(value), "long", self.locale)
        except ValueError:
            return value

    def month(self, value: str) -> str:
        """Write a month that is said as in ISO 8601 (`2026-11`); anything else as it stands."""
        try:
            first = date.fromisoformat(f"{value}-01")
        except ValueError:
            return value
        written: str = dates.format_date(first, "LLLL y", self.locale)
        return written[:1].upper() + written[1:]

    def short_day(self, value: datetime | str | None) -> str:
        """Write a day without its year."""
        moment = _moment(value)
        if moment is None:
            return ""
        zoned = moment.astimezone(self.zone) if moment.tzinfo else moment
        return dates.format_date(zoned, "d. MMM" if self.language == "nb" else "d MMM", self.locale)

    def ago(self, value: datetime | str | None) -> str:
        """Write how long ago a time is, or how far away."""
        moment = _moment(value)
        if moment is None:
            return ""
        return dates.format_timedelta(moment - datetime.now(UTC), add_direction=True, locale=self.locale)

    def span(self, seconds: float) -> str:
        """Write a length of time."""
        return dates.format_timedelta(timedelta(seconds=seconds), threshold=2, locale=self.locale)


Say = Callable[..., str]


def _moment(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


__all__ = ["LANGUAGES", "Locale", "Texts", "UnknownLocaleError", "catalog", "gettext_noop", "preferred"]
