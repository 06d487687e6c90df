"""Structure: where SQL runs, how large folders and modules are, which rooms a service has.

`PENDING` lists what does not follow a rule yet; it may only become shorter.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.project.source_tree import PACKAGES, files, sources, text, tree

MAX_SERVICE_ENTRIES = 10
MAX_FOLDER_ENTRIES = 15
MAX_MIGRATIONS = 60
"""They are only added to."""
MAX_LINES = 400

RUNS_SQL = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor", "copy_records_to_table"}
CONNECTIONS = re.compile(r"(?:^|[._])(?:connection|conn|pool|admin|database)(?:\(\))?$")
MAY_RUN_SQL = re.compile(
    r"^(?:deploy|bench|tests)/|^shared/database/|^shared/messaging/outbox\w*\.py$|/repository\.py$|/repository/"
)
DATA = (
    "returpost/bounces/rule_files",
    "deploy/demo/samples",
    "tests/returpost/bounces/replies",
    "tests/returpost/bounces/mail/notices",
)
"""Folders of data files, which are as many as there are."""

PENDING: dict[str, tuple[str, ...]] = {
    "sql": (),
    "folders": (),
    "lines": (),
}


def entries(folder: str) -> set[str]:
    """Return the names in a folder, without `__init__.py`."""
    inside = [path.removeprefix(f"{folder}/") for path in files() if path.startswith(f"{folder}/")]
    return {path.partition("/")[0] for path in inside} - {"__init__.py", "py.typed"}


def folders() -> list[str]:
    found = {path.rpartition("/")[0] for path in files() if path.split("/")[0] in PACKAGES}
    parents = {"/".join(folder.split("/")[:n]) for folder in found for n in range(1, folder.count("/") + 2)}
    return sorted(folder for folder in parents if not folder.startswith(DATA))


def limit_of(folder: str) -> int:
    if folder.endswith("/migrations"):
        return MAX_MIGRATIONS
    return MAX_SERVICE_ENTRIES if re.fullmatch(r"services/\w+", folder) else MAX_FOLDER_ENTRIES


def statements(path: str) -> Iterator[int]:
    """Yield the lines that run SQL on something that is named as a connection or a pool."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Call(func=ast.Attribute(attr=name, value=receiver)) if name in RUNS_SQL:
                if CONNECTIONS.search(ast.unparse(receiver)):
                    yield node.lineno


def test_sql_runs_in_repositories_alone() -> None:
    found = [
        f"{path}:{line}"
        for path in sources()
        if not MAY_RUN_SQL.search(path) and not path.startswith(PENDING["sql"])
        for line in statements(path)
    ]
    assert found == []


def test_statements_are_found_in_repositories() -> None:
    assert sum(1 for path in sources("services") if MAY_RUN_SQL.search(path) for _ in statements(path)) > 20


def test_folders_are_small() -> None:
    sizes = {folder: len(entries(folder)) for folder in folders()}
    large = {folder: size for folder, size in sizes.items() if size > limit_of(folder)}
    assert {folder: size for folder, size in large.items() if folder not in PENDING["folders"]} == {}


def test_modules_are_short() -> None:
    lengths = {path: text(path).count("\n") for path in sources()}
    assert [path for path, lines in lengths.items() if lines > MAX_LINES and path not in PENDING["lines"]] == []


def test_services_have_the_same_rooms() -> None:
    """`app.py` and `settings.py` at the top; repositories with their queries beside them, and nothing else of SQL."""
    by_service = defaultdict(set)
    for path in files():
        if path.startswith("services/") and path.count("/") > 1:
            by_service[path.split("/")[1]].add(path.split("/", 2)[2])
    assert len(by_service) == 7
    for service, paths in by_service.items():
        assert {"app.py", "settings.py"} <= paths, service
