"""The lists that the checks read: what comes with the package, or a folder of one's own."""

from dataclasses import dataclass
from pathlib import Path

from returpost.errors import InvalidSettings

PACKAGED = Path(__file__).with_name("lists")


@dataclass(frozen=True, slots=True)
class Lists:
    """All in lower case."""

    domains: frozenset[str]
    roles: frozenset[str]
    disposable: frozenset[str]


def load(folder: Path | None = None) -> Lists:
    """Read the lists; one that the folder lacks is the packaged one. Raises `InvalidSettings` that names the file."""
    return Lists(*(_read(folder, name) for name in ("domains", "roles", "disposable")))


def _read(folder: Path | None, name: str) -> frozenset[str]:
    path = PACKAGED / f"{name}.txt"
    if folder is not None and (own := folder / f"{name}.txt").exists():
        path = own
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path}: {error}") from None
    return frozenset(line.strip().lower() for line in lines if line.strip() and not line.startswith("#"))
