"""The rules in force for each tenant, read anew when a file changes."""

from collections.abc import Mapping
from pathlib import Path

from returpost.bounces.rules.loading import load
from returpost.bounces.rules.matching import Rules
from returpost.errors import InvalidSettings

TENANTS = "tenants"
"""The folder, within that of the operators' own rules, that has a folder for each tenant with rules of its own."""

_State = Mapping[Path, tuple[int, int]]


class RuleRegistry:
    """The packaged rules, the operators' own, and for some tenants their own before both.

    A file that cannot be used is told, and what was in force stays in force.
    """

    def __init__(self, own: Path | None = None) -> None:
        """Load all. Raises `InvalidSettings`: file, rule and fault."""
        self._own = own
        self._seen = _state(own)
        self._shared, self._tenants = _loaded(own)
        self.fault: str | None = None
        """What is wrong with the files as they are now; None while they are what is in force."""

    @property
    def shared(self) -> Rules:
        """The rules of tenants without rules of their own."""
        return self._shared

    def of(self, tenant: str) -> Rules:
        """Return the rules in force for the tenant."""
        return self._tenants.get(tenant, self._shared)

    def versions(self) -> dict[str, str]:
        """Return the version in force for each tenant with rules of its own, and under `*` for the others."""
        return {"*": self._shared.version} | {tenant: rules.version for tenant, rules in self._tenants.items()}

    def refresh(self) -> bool:
        """Read the files anew if any has changed; tell whether others are in force now.

        All files are taken, or none: a fault in one leaves the rules as they were, and is kept in `fault`.
        """
        seen = _state(self._own)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self._shared, self._tenants = _loaded(self._own)
        except InvalidSettings as error:
            self.fault = str(error)
            return False
        self.fault = None
        return True


def _loaded(own: Path | None) -> tuple[Rules, dict[str, Rules]]:
    return load(own), {folder.name: _of_tenant(own, folder) for folder in _tenant_folders(own)}


def _of_tenant(own: Path | None, folder: Path) -> Rules:
    try:
        return load(own, folder)
    except InvalidSettings as error:
        raise InvalidSettings(f"{TENANTS}/{folder.name}/{error}") from None


def _tenant_folders(own: Path | None) -> list[Path]:
    folder = own / TENANTS if own else None
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder and folder.is_dir() else []


def _state(own: Path | None) -> _State:
    """Return what tells a changed file: its time and its size."""
    files = [] if own is None else [*own.glob("*.toml"), *own.glob(f"{TENANTS}/*/*.toml")]
    found: dict[Path, tuple[int, int]] = {}
    for path in files:
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        found[path] = (stat.st_mtime_ns, stat.st_size)
    return found
