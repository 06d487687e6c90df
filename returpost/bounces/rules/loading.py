"""Rule files, read and checked: a fault is told with its file and its rule."""

import hashlib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from returpost.bounces.rules.matching import Rules
from returpost.bounces.rules.model import Placed, RuleFile, Tables
from returpost.bounces.rules.negative_patterns import not_of_others
from returpost.bounces.rules.provider_codes import from_notation
from returpost.contracts import Evidence
from returpost.contracts.enums import Reason
from returpost.errors import InvalidSettings, words

PACKAGED = Path(__file__).parent.with_name("rule_files")
TABLES = "tables.toml"
OWN_PRECEDENCE = 1000
PACKAGED_PRECEDENCE = 500
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"([245]\d\d)[ -]")

M = TypeVar("M", bound=BaseModel)


def load(*own: Path | None) -> Rules:
    """Load the packaged rules, and those of folders of one's own, a later one before an earlier one.

    A file of one's own replaces a packaged one of the same name, or adds to them. Raises `InvalidSettings`: file, rule
    and fault.
    """
    folders = [folder for folder in own if folder is not None]
    if not folders:
        return packaged()
    files = _packaged_files()
    checked: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            raise InvalidSettings(f"rules: {folder} is not a folder")
        replacing = {path.name: path for path in folder.glob("*.toml")}
        files |= replacing
        # Rules of one's own may well take what a packaged rule would have decided.
        checked = {path.stem for path in replacing.values()}
    return _assembled(files, checked)


@lru_cache(maxsize=1)
def packaged() -> Rules:
    """Return the packaged rules alone. They come with the program and stay as they are while it runs."""
    files = _packaged_files()
    return _assembled(files, {path.stem for path in files.values()})


def _packaged_files() -> dict[str, Path]:
    return {path.name: path for path in PACKAGED.glob("*.toml")}


def _assembled(files: Mapping[str, Path], checked: Collection[str]) -> Rules:
    bodies = {name: _read(path) for name, path in sorted(files.items())}
    tables = _parse(TABLES, bodies.pop(TABLES), Tables)
    missing = set(Reason) - set(tables.reasons)
    if missing:
        raise InvalidSettings(f"{TABLES}: no meaning for {', '.join(sorted(missing))}")
    digest = hashlib.sha256(b"\0".join(files[name].name.encode() + bodies.get(name, b"") for name in sorted(files)))
    digest.update(tables.model_dump_json().encode())
    packaged_ones: list[Placed] = []
    own: list[Placed] = []
    for name, body in bodies.items():
        (packaged_ones if files[name].parent == PACKAGED else own).extend(_placed(name, body, files[name]))
    rules = [*own, *not_of_others(packaged_ones, tables)]
    _check_names(rules)
    loaded = Rules(rules, tables, f"{tables.version}+{digest.hexdigest()[:12]}")
    check_examples(loaded, checked)
    return loaded


def check_examples(rules: Rules, files: Collection[str]) -> None:
    """Check that each rule of these files decides its own examples, and none that it must not.

    Raises `InvalidSettings` naming the first that goes wrong.
    """
    if fault := next(iter(broken_examples(rules, files)), None):
        raise InvalidSettings(fault)


def broken_examples(rules: Rules, files: Collection[str]) -> list[str]:
    """Return what is wrong with the examples of these files' rules, each with file, rule and example."""
    found = []
    for file, rule, _ in rules:
        if file not in files:
            continue
        for example in rule.examples:
            match = rules.match(evidence_of(example, report=bool(rule.report)))
            if match is None or match.rule is not rule:
                other = match.name if match else "no rule"
                found.append(f"{file}: rule {rule.name}: its example {example!r} is decided by {other}")
        for example in rule.counter_examples:
            match = rules.match(evidence_of(example, report=bool(rule.report)))
            if match is not None and match.rule is rule:
                found.append(f"{file}: rule {rule.name}: it decides its counter-example {example!r}")
    return found


def evidence_of(example: str, *, report: bool = False) -> Evidence:
    """Return what an example says, as a sender would tell it, or as a bounce mail would."""
    text, provider, codes = from_notation(example)
    status = _STATUS.search(text)
    code = _CODE.match(text)
    return Evidence(
        diagnostic=text,
        status=status[1] if status else None,
        reply_code=int(code[1]) if code else None,
        format="rfc3464" if report else "smtp",
        provider=provider,
        provider_codes=codes,
        suppressed=codes[-1:] == ("suppressed",),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"{path.name}: {error}") from None


def _placed(name: str, body: bytes, path: Path) -> list[Placed]:
    file = _parse(name, body, RuleFile)
    default = file.precedence
    if default is None:
        default = PACKAGED_PRECEDENCE if path.parent == PACKAGED else OWN_PRECEDENCE
    return [
        Placed(name.removesuffix(".toml"), rule, default if rule.precedence is None else rule.precedence)
        for rule in file.rule
    ]


def _parse(name: str, body: bytes, model: type[M]) -> M:
    values: Mapping[str, Any] = {}
    try:
        values = tomllib.loads(body.decode("utf-8"))
        return model.model_validate(values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{name}: {error}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        given = f", not {fault['input'][:60]!r}" if isinstance(fault["input"], str) else ""
        raise InvalidSettings(f"{name}: {_place(values, fault['loc'])}: {words(fault)}{given}") from None


def _place(values: Mapping[str, Any], place: tuple[int | str, ...]) -> str:
    """Say where a fault is: of a rule its name, when it has one, else its number."""
    if len(place) >= 2 and place[0] == "rule" and isinstance(place[1], int):
        written = values["rule"][place[1]]
        name = written.get("name") if isinstance(written, dict) else None
        start = f"rule {name}" if isinstance(name, str) else f"rule number {place[1] + 1}"
        return ": ".join([start, *filter(None, [".".join(map(str, place[2:]))])])
    return ".".join(map(str, place))


def _check_names(rules: Sequence[Placed]) -> None:
    seen: set[str] = set()
    for placed in rules:
        file, rule, _ = placed
        if placed.name in seen:
            raise InvalidSettings(f"{file}: two rules are named {rule.name}")
        seen.add(placed.name)
        asked = (rule.patterns, rule.status, rule.reply_code, rule.mta, rule.provider, rule.command)
        if not (any(asked) or rule.provider_codes or rule.suppressed):
            raise InvalidSettings(f"{file}: rule {rule.name} has no condition")
