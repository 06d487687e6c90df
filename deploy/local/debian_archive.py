"""RabbitMQ 4 where Debian's own package is older: packages of Debian 13, unpacked into a folder, nothing installed.

They come from where this machine has its packages from. Programs of Debian 13 want its C library: each is started by
the loader that was unpacked with it, so that they run on Debian 12 as well, by any user, beside what is installed.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from returpost.errors import Unavailable

SUITE = "trixie"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SECONDS = 600
NEEDED = re.compile(r"erlang-.*|rabbitmq-server|libc6|libgcc-s1|libstdc\+\+6|zlib1g|libtinfo6|libssl3t64|libzstd1")
"""Of what the package depends on, these are what a node runs with; the rest is for installing it."""

_CONFIGURATION = """\
Dir::State "{work}/state";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "{work}/none";
Dir::Etc::preferencesparts "{work}/none";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
"""


def folder() -> Path:
    """Return where RabbitMQ 4 is unpacked, once for all installations of this user."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "returpost" / "rabbitmq-4"


def scripts() -> Path | None:
    """Return the folder of the `rabbitmq-server` script, if it has been unpacked."""
    found = folder() / "usr/lib/rabbitmq/bin"
    return found if (found / "rabbitmq-server").exists() else None


def unpack() -> Path:
    """Return the folder of the `rabbitmq-server` script, unpacking it if need be; two at once wait for each other.

    Raises `Unavailable` where there is no apt-get, or its index has no Debian 13.
    """
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "rabbitmq-4.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := scripts()) is not None:
            return found
        if not all(map(shutil.which, ("apt-get", "dpkg-deb"))):
            raise Unavailable(
                "RabbitMQ 4 is unpacked from Debian's packages, and there is no apt-get to fetch them with"
            )
        sys.stderr.write("unpacking RabbitMQ 4 out of Debian 13's packages (once, 43 MB) ...\n")
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            _fill(Path(work), target)
            (Path(work) / "root").rename(target)
    if (found := scripts()) is None:
        raise Unavailable(f"Debian 13's packages were unpacked into {target}, but hold no rabbitmq-server")
    return found


def _fill(work: Path, target: Path) -> None:
    """Make the tree in `work`/root, as it will be at `target`."""
    for name in ("state/lists/partial", "cache/archives/partial", "none", "packages", "root"):
        (work / name).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={KEYS}] {_site()} {SUITE} main\n")
    (work / "apt.conf").write_text(_CONFIGURATION.format(work=work))
    _run(work, "apt-get", "update", "-q")
    steps = _run(work, "apt-get", "install", "--simulate", "-qq", "-y", "rabbitmq-server").splitlines()
    names = [line.split()[1] for line in steps if line.startswith("Inst ")]
    _run(work / "packages", "apt-get", "download", "-q", *filter(NEEDED.fullmatch, names))
    root = work / "root"
    for package in sorted((work / "packages").glob("*.deb")):
        _run(work, "dpkg-deb", "--extract", str(package), str(root))
    _start_by_own_loader(root, target)


def _site() -> str:
    """Return where this machine has Debian from."""
    lines = _run(None, "apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Origin: Debian")
    sites = [line for line in lines.splitlines() if "security" not in line]
    if not sites:
        raise Unavailable("this machine's packages are not Debian's")
    return sites[0]


def _start_by_own_loader(root: Path, target: Path) -> None:
    """Put a script in the place of each program: the loader, by the program's name, with the libraries beside it."""
    loader = next(path for path in root.glob("usr/lib*/**/ld-linux*.so.*") if not path.is_symlink()).relative_to(root)
    libraries = target / next(root.glob("usr/lib/*/libc.so.6")).parent.relative_to(root)
    names = root / "loader"
    names.mkdir()
    for path in [path for path in (root / "usr/lib/erlang").rglob("*") if _is_program(path)]:
        program = path.rename(path.with_name(f"{path.name}.elf"))
        if not (names / path.name).is_symlink():  # processes are called what is executed
            (names / path.name).symlink_to(target / loader)
        path.write_text(
            f'#!/bin/sh\nexec {target}/loader/{path.name} --library-path {libraries} --argv0 "$0"'
            f' {target / program.relative_to(root)} "$@"\n'
        )
        path.chmod(0o755)
    for script in ("bin/erl", "erts-*/bin/erl"):
        for path in (root / "usr/lib/erlang").glob(script):
            path.write_text(path.read_text().replace("=/usr/lib/erlang", f"={target}/usr/lib/erlang"))


def _is_program(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or not os.access(path, os.X_OK) or ".so" in path.name:
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _run(work: Path | None, *line: str) -> str:
    environment = dict(os.environ)
    if work is not None:
        settings = work if (work / "apt.conf").exists() else work.parent
        environment["APT_CONFIG"] = str(settings / "apt.conf")
    try:
        done = subprocess.run(
            line, check=False, capture_output=True, text=True, timeout=SECONDS, cwd=work, env=environment
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(line[:2])} has not ended after {SECONDS} s") from None
    if done.returncode:
        raise Unavailable(f"{' '.join(line[:2])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
