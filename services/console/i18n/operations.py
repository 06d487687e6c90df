"""Operations in words: what each is called, what it will do, why a row is left out, and where an operation is."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.console.i18n import Texts, gettext_noop as _

NAMES = {
    "export": _("Export"),
    "copy_to_selection": _("Add to new selection"),
    "add_to_selection": _("Add to existing selection"),
    "copy_to_project": _("Add to new project"),
    "add_to_project": _("Add to existing project"),
    "delete_addresses": _("Delete selected e-mail addresses"),
    "clear_bounce_flag": _("Clear bounce-flag"),
    "set_former_employee": _("Set as former employee"),
    "set_back_former_employee": _('Undo "former employee"'),
    "correct_address": _("Correct the address"),
    "send_again": _("Send again"),
    "block": _("Block"),
}
PICTURES = {
    "export": "export",
    "copy_to_selection": "list",
    "add_to_selection": "list",
    "copy_to_project": "folder",
    "add_to_project": "folder",
    "delete_addresses": "trash",
    "clear_bounce_flag": "flag",
    "set_former_employee": "leave",
    "set_back_former_employee": "undo",
    "send_again": "undo",
    "block": "block",
    "correct_address": "person",
}
MEANING = {
    "export": _("A file with the selected addresses is created; you download it here."),
    "copy_to_selection": _("A new static selection is created from the people behind the selected addresses."),
    "add_to_selection": _("The people behind the selected addresses are added to the selection."),
    "copy_to_project": _("A new project is created with the people behind the selected addresses as members."),
    "add_to_project": _("The people behind the selected addresses become members of the project."),
    "delete_addresses": _("The addresses are permanently deleted with their history."),
    "clear_bounce_flag": _("The blocks are lifted and the counts begin at zero: the next mailing goes to them again."),
    "block": _("The addresses are skipped in every mailing until their bounce-flag is cleared."),
    "correct_address": _("The new address replaces the old one."),
    "set_former_employee": _("These people are kept for their history, and get no more mailings."),
    "set_back_former_employee": _("These people get mailings again; other blocks of their addresses stay."),
}
SKIPPED = {
    "no_contact": _("are not linked to a person"),
    "former_employee": _("belong to former employees"),
    "complained": _("complained of spam"),
    "unsubscribed": _("have unsubscribed"),
    "not_former_employee": _("are not linked to a former employee"),
    "not_blocked": _("are not blocked"),
    "blocked": _("are blocked already"),
    "unknown": _("are not known"),
    "erased": _("have been deleted"),
    "nothing_to_clear": _("have nothing to clear"),
    "nothing_to_do": _("need nothing"),
}
STATES = {
    "previewed": _("Not confirmed"),
    "queued": _("Waiting"),
    "running": _("Running"),
    "cancelling": _("Being cancelled"),
    "cancelled": _("Cancelled"),
    "finished": _("Done"),
    "failed": _("Failed"),
    "undoing": _("Being undone"),
    "undone": _("Undone"),
}
TONES = {"finished": "good", "failed": "bad", "running": "warn", "queued": "warn", "undoing": "warn"}
ENDED = ("finished", "failed", "cancelled", "undone")
FORMATS = {
    "csv": _("CSV: for Excel and other programs"),
    "xlsx": _("Excel (.xlsx)"),
    "txt": _("Text, one address a line"),
    "html": _("HTML: a table for the browser"),
    "jsonl": _("JSON lines: for developers"),
}
PROTECTED = {
    "complained": _("Include those who complained of spam"),
    "unsubscribed": _("Include those who have unsubscribed"),
}
"""Who is left out of what makes addresses mailable again, unless somebody includes them and says why."""


def done(texts: Texts, told: Mapping[str, Any]) -> str:
    """Say what an operation did."""
    n, operation = told["done"], told["operation"]
    name = told.get("list_name") or told["parameters"].get("name") or ""
    if operation in ("copy_to_selection", "add_to_selection", "copy_to_project", "add_to_project"):
        return texts.tn("{n} added to “{name}”", "{n} added to “{name}”", n, name=name)
    if operation == "delete_addresses":
        return texts.tn("{n} address deleted", "{n} addresses deleted", n)
    if operation == "clear_bounce_flag":
        return texts.tn("{n} bounce-flag cleared", "{n} bounce-flags cleared", n)
    if operation == "block" and told["parameters"].get("until"):
        until = texts.time(told["parameters"]["until"])
        return texts.tn("{n} address blocked until {until}", "{n} addresses blocked until {until}", n, until=until)
    if operation == "block":
        return texts.tn("{n} address blocked", "{n} addresses blocked", n)
    if operation == "set_former_employee":
        return texts.tn("{n} set as former employee", "{n} set as former employees", n)
    if operation == "correct_address" and told["parameters"].get("domains"):
        return texts.tn("{n} address corrected", "{n} addresses corrected", n)
    if operation == "correct_address" and n and told["parameters"].get("new"):
        return texts.t("Corrected to {new}", new=told["parameters"]["new"])
    if operation == "export":
        return texts.tn("{n} row exported", "{n} rows exported", n)
    return texts.tn("Done: {n} address.", "Done: {n} addresses.", n)


def skipped(texts: Texts, outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Say how many were skipped or failed, and why; nothing for none."""
    lines = []
    for one in outcomes:
        why = texts.t(SKIPPED[one["why"]]) if one["why"] in SKIPPED else one["why"]
        head = texts.t("Skipped") if one["outcome"] == "skipped" else texts.t("Failed")
        told = texts.t("{n}, because they {why}", n=texts.number(one["rows"]), why=why)
        lines.append(f"{head}: {told if one['why'] in SKIPPED else why}")
    return ". ".join(lines)
