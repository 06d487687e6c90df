"""The last day of a block that ends by itself."""

from datetime import UTC, date, datetime, time, timedelta

from services.console.components.field import Field
from services.console.components.shell import Visitor


class EndDate:
    """A field for the day with which a block ends; left empty, it stays until it is lifted."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        help_ = visitor.t("The last day. Empty: until it is lifted.")
        self._field = Field(visitor.t("End date"), "date", help=help_)

    def moment(self) -> str | None:
        """Return when the block ends, as the services take it. Raises `ValueError` after saying so at the field."""
        written = str(self._field.value or "").strip()
        self._field.wrong("")
        if not written:
            return None
        try:
            until = midnight_after(written, self._visitor)
        except (ValueError, OverflowError):
            self._field.wrong(self._visitor.t("Enter a date."))
            raise ValueError(written) from None
        if until <= datetime.now(UTC):
            self._field.wrong(self._visitor.t("This day is over."))
            raise ValueError(written)
        return until.isoformat()


def midnight_after(day: str, visitor: Visitor) -> datetime:
    """Return when a day (ISO 8601) ends where the visitor is. Raises `ValueError` for what is none."""
    following = date.fromisoformat(day) + timedelta(days=1)
    return datetime.combine(following, time(), visitor.texts.zone).astimezone(UTC)
