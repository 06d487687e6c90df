"""The pages behind an unsubscribe link, in Norwegian and English. They tell nothing of whose link it is."""

from html import escape
from typing import Final

STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:12vh auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}"
    "button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.3rem;background:#1f4fa3;color:#fff}"
    "@media (prefers-color-scheme:dark){body{color:#eee;background:#1b1b1b}button{background:#7fa7ee;color:#111}}"
)
FIELD: Final = "confirm"
"""What the button sends: a program that follows links, or posts to them without it, changes nothing."""

_TEXTS: Final = {
    "en": {
        "ask": ("Unsubscribe", "Do you want no more e-mail of this kind ({stream})?"),
        "ask_all": ("Unsubscribe", "Do you want no more e-mail from this sender?"),
        "done": ("You are unsubscribed", "You get no more of it. What is on its way may still arrive."),
        "invalid": ("This link does not work", "It is not whole, or too old. Use the link in a newer e-mail."),
        "button": ("Unsubscribe", ""),
    },
    "nb": {
        "ask": ("Meld deg av", "Vil du ikke ha flere e-poster av denne typen ({stream})?"),
        "ask_all": ("Meld deg av", "Vil du ikke ha flere e-poster fra denne avsenderen?"),
        "done": ("Du er meldt av", "Du får ikke flere. Det som er på vei, kan fortsatt komme fram."),
        "invalid": ("Lenken virker ikke", "Den er ikke hel, eller for gammel. Bruk lenken i en nyere e-post."),
        "button": ("Meld meg av", ""),
    },
}


def language_of(accept_language: str) -> str:
    """Return `nb` where Norwegian in any form is the first language that is accepted and known here, else `en`."""
    for part in accept_language.lower().split(","):
        tag = part.partition(";")[0].strip().partition("-")[0]
        if tag in ("nb", "no", "nn"):
            return "nb"
        if tag == "en":
            return "en"
    return "en"


def ask(language: str, stream: str | None) -> str:
    """Return the page that asks once: its button posts to the same address."""
    button = escape(_TEXTS[language]["button"][0])
    form = f'<form method="post"><button name="{FIELD}" value="yes">{button}</button></form>'
    return _page(language, "ask" if stream else "ask_all", form, stream or "")


def done(language: str) -> str:
    """Return the page that says that it is done."""
    return _page(language, "done")


def invalid(language: str) -> str:
    """Return the page for a link that nobody made, that is not whole or that has expired: it is the same."""
    return _page(language, "invalid")


def _page(language: str, name: str, more: str = "", stream: str = "") -> str:
    title, text = _TEXTS[language][name]
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><main><h1>{escape(title)}</h1><p>{escape(text.format(stream=stream))}</p>{more}</main>"
        "</html>"
    )
