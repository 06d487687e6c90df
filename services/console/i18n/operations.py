"""Operations in words: what each is called, what it will do, why a row is left out, and where an operation is."""

from services.console.i18n import gettext_noop as _

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
}
MEANING = {
    "export": _("A file with the selected addresses is created; you download it here."),
    "copy_to_selection": _("A new static selection is created from the people behind the selected addresses."),
    "add_to_selection": _("The people behind the selected addresses are added to the selection."),
    "copy_to_project": _("A new project is created with the people behind the selected addresses as members."),
    "add_to_project": _("The people behind the selected addresses become members of the project."),
    "delete_addresses": _("The addresses are permanently deleted with their history."),
    "clear_bounce_flag": _("The blocks are lifted and the counts begin at zero: the next mailing goes to them again."),
    "set_former_employee": _("These people are kept for their history, and get no more mailings."),
    "set_back_former_employee": _("These people get mailings again; other blocks of their addresses stay."),
}
SKIPPED = {
    "no_contact": _("are not linked to a person"),
    "former_employee": _("belong to former employees"),
    "not_former_employee": _("are not linked to a former employee"),
    "not_blocked": _("are not blocked"),
    "blocked": _("are blocked already"),
    "unknown": _("are not known"),
    "erased": _("were deleted"),
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
