"""Where RabbitMQ comes from when it is not installed: apt, else a container, else a message that says what to type.

The tests of the web page get their Chromium here as well.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from deploy.local.rabbitmq import find_binaries
from returpost.errors import Unavailable

APT_SECONDS = 600
F = TypeVar("F")

HOW_TO = """\
RabbitMQ is not installed, and cannot be installed from here. Do one of these, then run the command again:
  Debian, Ubuntu:  sudo apt-get install --no-install-recommends rabbitmq-server
  Fedora:          sudo dnf install rabbitmq-server
  macOS:           brew install rabbitmq
or start Docker or Podman, or set RETURPOST_AMQP_URL to a broker of yours."""


class Way(Enum):
    """How RabbitMQ can be had."""

    INSTALLED = "installed"
    APT = "apt"
    CONTAINER = "container"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of this machine."""

    installed: bool
    apt: bool
    root: bool
    sudo: bool
    """sudo works without a password."""
    engine: str | None
    """A container engine that answers."""


def choose(facts: Facts) -> Way:
    """Choose the way that changes least: what is there, a package, a container."""
    if facts.installed:
        return Way.INSTALLED
    if facts.apt and (facts.root or facts.sudo):
        return Way.APT
    return Way.CONTAINER if facts.engine else Way.NONE


def look() -> Facts:
    """Find out about this machine; asks for the expensive facts only when they matter."""
    installed = find_binaries() is not None
    apt = not installed and shutil.which("apt-get") is not None
    root = os.geteuid() == 0
    sudo = apt and not root and _works("sudo", "-n", "true")
    engine = None if installed or (apt and (root or sudo)) else find_engine()
    return Facts(installed, apt, root, sudo, engine)


def find_engine() -> str | None:
    """Return `docker` or `podman` when it answers."""
    return next((name for name in ("docker", "podman") if shutil.which(name) and _works(name, "info")), None)


def install() -> Path:
    """Install RabbitMQ's package and return the folder of its scripts; two at once wait for each other.

    The package would start a node of its own: that is prevented. Raises `Unavailable` with apt's last words.
    """
    return install_package("rabbitmq-server", find_binaries, HOW_TO)


def install_package(package: str, find: Callable[[], F | None], how_to: str = "") -> F:
    """Return what `find` finds, after installing Debian's package if need be; two at once wait for each other.

    Raises `Unavailable` that says what to do when that cannot be done from here.
    """
    with (Path(tempfile.gettempdir()) / "returpost-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := find()) is not None:
            return found
        if not shutil.which("apt-get"):
            raise Unavailable(how_to or f"{package} is not installed, and there is no apt-get to install it with")
        sys.stderr.write(f"{package} is not installed: installing Debian's package (once, about 20 s) ...\n")
        _apt("update", "-q", how_to=how_to)
        with _without_services():
            _apt("install", "-q", "-y", "--no-install-recommends", package, how_to=how_to)
    if (found := find()) is None:
        raise Unavailable(f"apt-get installed {package}, but what it is for was not found")
    return found


def chromium() -> Path | None:
    """Return a Chromium for tests: what is there, else Debian's package where it can be installed, else nothing."""
    try:
        return install_package("chromium", _find_chromium)
    except Unavailable:
        return None


def _find_chromium() -> Path | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((Path(path) for name in names if (path := shutil.which(name))), None)


class _without_services:  # noqa: N801 - reads as what it is
    """Keep packages from starting services meanwhile (`invoke-rc.d` asks this file; policy-rc.d(8), code 101)."""

    path = Path("/usr/sbin/policy-rc.d")

    def __enter__(self) -> None:
        self._made = not self.path.exists()
        if self._made:
            _as_root("sh", "-c", f"printf '#!/bin/sh\\nexit 101\\n' > {self.path} && chmod 755 {self.path}")

    def __exit__(self, *_: object) -> None:
        if self._made:
            _as_root("rm", "-f", str(self.path))


def _apt(*arguments: str, how_to: str) -> None:
    done = _as_root("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments)
    if done.returncode:
        raise Unavailable(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}\n\n{how_to}".strip())


def _as_root(*line: str) -> subprocess.CompletedProcess[str]:
    prefix = () if os.geteuid() == 0 else ("sudo", "-n")
    return subprocess.run([*prefix, *line], check=False, capture_output=True, text=True, timeout=APT_SECONDS)


def _works(*line: str) -> bool:
    try:
        return subprocess.run(line, check=False, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
