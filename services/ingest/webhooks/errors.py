"""Why a request is not believed."""

from returpost.errors import ReturpostError


class Unauthenticated(ReturpostError):
    """The request is not believed. `reason` is a label for metrics; `final`: sending it again cannot help."""

    def __init__(self, reason: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.final = final
