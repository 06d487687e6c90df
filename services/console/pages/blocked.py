"""What came back of all mailings: blocked addresses, returned e-mails and spam complaints, to be cleaned up."""

from functools import partial

from services.console.components.dialogs.block_dialog import BlockDialog
from services.console.components.dialogs.import_dialog import ImportDialog
from services.console.components.markup import Tag, button, link
from services.console.components.progress import After
from services.console.components.shell import Pages, Visitor, heading
from services.console.i18n import gettext_noop as _
from services.console.pages import table_page
from services.console.pages.domains import Domains
from services.console.pages.people import typing_errors
from services.console.pages.rows import ALL_BOUNCES, BLOCKED, COMPLAINTS, Rows

TABS = {
    "": (_("All blocked"), BLOCKED),
    "returned": (_("Bounces"), ALL_BOUNCES),
    "complaints": (_("Spam complaints"), COMPLAINTS),
}
TYPING_ERRORS, DOMAINS = "typing-errors", "domains"
LEADS = {
    DOMAINS: _("All addresses of these domains are skipped in every mailing, whatever is known of each."),
    TYPING_ERRORS: _("Domains that were probably misspelt. Correct them together; each is checked first."),
    "": _("These addresses are skipped in every mailing. Clean up: correct or delete them, or clear the bounce-flag."),
    "returned": _("Bounces of all mailings, and why. Soft bounces are retried automatically."),
    "complaints": _("These people reported a mailing as spam. Do not send to them again unless they ask you to."),
}


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/blocked", _("Blocked addresses"), blocked)


async def blocked(visitor: Visitor) -> None:
    """Draw the page."""
    tab = visitor.query.get("tab", "")
    tab = tab if tab in LEADS else ""
    head = heading(visitor.t("Blocked addresses"), visitor.t(LEADS[tab]))
    with Tag("nav", "tabs", aria_label=visitor.t("Parts of this page")):
        titles = {name: title for name, (title, _kind) in TABS.items()}
        titles |= {TYPING_ERRORS: _("Likely typing errors"), DOMAINS: _("Whole domains")}
        for name, title in titles.items():
            target = f"/blocked?tab={name}" if name else "/blocked"
            link(visitor.t(title), target, aria_current="page" if name == tab else None)
    if tab == TYPING_ERRORS:
        await typing_errors.show(visitor)
        return
    if tab == DOMAINS:
        await Domains(visitor, head).show()
        return
    more = partial(_by_hand, visitor, head) if visitor.may("write") else None
    await table_page.show(visitor, Rows(visitor, TABS[tab][1]), {"tab": tab} if tab else {}, more=more)


def _by_hand(visitor: Visitor, head: Tag, anew: After) -> None:
    """The buttons that block addresses or import a list of them."""
    dialogs = Tag("div")

    def block() -> None:
        with dialogs:
            BlockDialog(visitor, anew)

    def import_() -> None:
        with dialogs:
            ImportDialog(visitor, anew)

    with head, Tag("div", "row"):
        button(visitor.t("Block addresses"), block, picture="block")
        button(visitor.t("Import a list"), import_)
