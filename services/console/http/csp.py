"""The HTML document as NiceGUI writes it, made to fit a strict content policy.

NiceGUI 3.18 writes inline scripts and styles, and evaluates text as code for string templates, for properties whose
name begins with a colon, for handlers written in JavaScript and for `run_javascript`. The console uses none of these:
its components are modules with render functions. So a nonce for each inline script and style is enough, and
`unsafe-eval` and `unsafe-inline` can stay out.
"""

import re

from services.console.i18n import Texts, gettext_noop as _

POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)
NICEGUI_TEXTS = (_("Connection lost."), _("Trying to reconnect..."))
"""What NiceGUI says by itself, in English in every document."""
_INLINE = re.compile(r"<(script|style)\b(?=[ >])")
_ROOT = re.compile(r"<html\b[^>]*>")
_HIDDEN = 'style="display: none"'


def policy(nonce: str) -> str:
    """Return the content policy of a page with this nonce."""
    return POLICY.format(nonce=nonce)


def hardened(html: str, *, nonce: str, language: str, theme: str) -> str:
    """Return the document with a nonce on its inline scripts and styles, and with language and theme on its root.

    The elements of the page are in one of the scripts, as JSON in which every `<` is escaped: none gets a nonce.
    """
    marked = _INLINE.sub(rf'<\1 nonce="{nonce}"', html)
    rooted = _ROOT.sub(f'<html lang="{language}" dir="ltr" data-theme="{theme}">', marked, count=1)
    texts = Texts(language)
    for text in NICEGUI_TEXTS:
        rooted = rooted.replace(text, texts.t(text))
    return rooted.replace(_HIDDEN, "hidden")
