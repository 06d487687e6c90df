"""Blocking by hand: addresses are written or pasted, then blocked as an operation that can be undone."""

import re
from collections.abc import Sequence

from returpost.contracts.addresses import key, normalise
from returpost.errors import InvalidAddress
from services.console.components.dialogs.dialog import Dialog
from services.console.components.dialogs.end_date import EndDate
from services.console.components.dialogs.operation_dialog import OperationDialog
from services.console.components.field import Field
from services.console.components.markup import Tag, button
from services.console.components.progress import After
from services.console.components.shell import Visitor

MOST = 10_000
"""Addresses at once; more of them are imported as a list."""
MOST_NAMED = 3
"""Faults that are named."""
_SEPARATORS = re.compile(r"[\r\n,;]+")
_IN_BRACKETS = re.compile(r"<([^<>]*)>")


def addresses_in(text: str) -> tuple[list[str], list[str]]:
    """Return the addresses of a text, each once, and what stands there that is none.

    They may be separated by lines, commas, semicolons or spaces, and have a name before them: `Ann <ann@example.com>`.
    """
    found: dict[str, str] = {}
    wrong = []
    for part in _SEPARATORS.split(text):
        named = _IN_BRACKETS.findall(part)
        for written in named or part.split():
            try:
                address = normalise(written)
            except InvalidAddress:
                wrong.append(written)
            else:
                found.setdefault(key(address), address)
    return list(found.values()), wrong


class BlockDialog:
    """Asks for addresses and for a reason, and blocks them; `after` shows anew what the page shows."""

    def __init__(self, visitor: Visitor, after: After, addresses: Sequence[str] = ()) -> None:
        self._visitor, self._after = visitor, after
        t = visitor.t
        self._place = Tag("div")
        with self._place:
            self._dialog = Dialog(visitor, t("Block addresses"))
        with self._dialog.body:
            Tag("p", "quiet", t("They are skipped in every mailing until their bounce-flag is cleared."))
            help_ = t("One a line, or separated by commas. More than {n}: import a list.", n=visitor.texts.number(MOST))
            self._addresses = Field(t("Addresses"), "textarea", "\n".join(addresses), help=help_, autofocus=True)
            self._note = Field(t("Why (kept in their history)"), "text", maxlength=1000)
            self._end = EndDate(visitor)
        with self._dialog.foot:
            self._dialog.cancel_button()
            button(t("Block"), self._block, "primary")

    async def _block(self) -> None:
        t = self._visitor.t
        found, wrong = addresses_in(str(self._addresses.value))
        if wrong:
            named = ", ".join(wrong[:MOST_NAMED]) + (" …" if len(wrong) > MOST_NAMED else "")
            self._addresses.wrong(t("Not an e-mail address: {what}", what=named))
        elif not found:
            self._addresses.wrong(t("Enter an address."))
        elif len(found) > MOST:
            self._addresses.wrong(t("{n} at most.", n=self._visitor.texts.number(MOST)))
        else:
            try:
                until = self._end.moment()
            except ValueError:
                return
            self._dialog.close()
            with self._place:
                operation = OperationDialog(
                    self._visitor, "block", {"addresses": found}, self._after, note=str(self._note.value).strip(),
                    parameters={"until": until} if until else {}, sure=True,
                )  # fmt: skip
                await operation.show()
