"""What came of one attempt to reach a receiver."""

from dataclasses import dataclass
from datetime import timedelta

NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt."""

    status: int
    """Of HTTP; 0 when there was none."""
    problem: str = ""
    milliseconds: int = 0
    retry_after: timedelta | None = None
    text: str = ""
    """The beginning of what the receiver said."""

    @property
    def good(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300
