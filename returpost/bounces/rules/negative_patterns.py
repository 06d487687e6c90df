"""Who else may be unknown: what keeps the packaged rules from calling an address dead (`others` in `tables.toml`)."""

import re
from collections.abc import Sequence

from returpost.bounces.rules.model import Placed, Rule, Tables
from returpost.contracts.enums import Command, Reason
from returpost.errors import InvalidSettings

AUTHORITATIVE = 700
"""From this precedence on a rule holds whatever the status: a provider's own words, or what leaves no doubt."""
_OF_THE_SENDER = ("x.1.7", "x.1.8", "x.7.20", "x.7.21", "x.7.22", "x.7.23", "x.7.24", "x.7.25", "x.7.26")
"""RFC 3463, RFC 7372: the address or the domain of the sender, and what its authentication or reverse DNS lacks."""
_BEFORE_RECIPIENTS = (Command.HELO,)
"""What is refused here is refused before any recipient is named."""
_KIND = re.compile(r"\{([a-z]+)\}")


def not_of_others(rules: Sequence[Placed], tables: Tables) -> list[Placed]:
    """Return the rules; none calls an address dead for what is said of others, and no status alone does.

    Raises `InvalidSettings`: `others` speaks of a kind of words that is none.
    """
    others = tuple(_KIND.sub(lambda found: _any_of(found[1], tables), pattern) for pattern in tables.others)
    if not others:
        return list(rules)
    of_the_dead = tuple(status for status, reason in tables.status.items() if tables.reasons[reason].dead)
    status_alone = Rule(
        name="others", reason=Reason.UNDETERMINED, precedence=0, confidence=0.3, patterns=others, status=of_the_dead,
        source="A status that says dead, and words that speak of others",
        examples=("550 5.1.1 We do not say whether there is such a mailbox",),
        counter_examples=("550 5.1.1 No such mailbox",),
    )  # fmt: skip
    return [*(_but_not_of(others, placed, tables) for placed in rules), Placed("tables", status_alone, 0)]


def _but_not_of(others: tuple[str, ...], placed: Placed, tables: Tables) -> Placed:
    rule = placed.rule
    if not tables.reasons[rule.reason].dead:
        return placed
    changed: dict[str, object] = {
        "unless": (*rule.unless, *others),
        "unless_command": (*rule.unless_command, *_BEFORE_RECIPIENTS),
    }
    if placed.precedence < AUTHORITATIVE and not (rule.status or rule.proven):
        of_others = tables.others_status if rule.reason is Reason.USER_UNKNOWN else _OF_THE_SENDER
        changed["unless_status"] = (*rule.unless_status, *of_others)
    return placed._replace(rule=rule.model_copy(update=changed))


def _any_of(kind: str, tables: Tables) -> str:
    if kind not in tables.kinds:
        raise InvalidSettings(f"tables.toml: others: there is no kind of words {kind!r}")
    return f"({'|'.join(tables.kinds[kind])})"
