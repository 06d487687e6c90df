"""Generate the secrets of `docker-compose.yml`: `python -m deploy.generate_secrets [FOLDER]`; its job `secrets` does.

One file a secret, named as the settings are, in a folder that its owner alone may open, and copies of those that a
container needs in a folder each: `FOLDER/<container>`, which are volumes of their own. Inside the containers, where
users have other numbers, the files are readable. Existing files stay as they are, so that it can be run again when a
sender is added. Needs nothing but Python.
"""

import argparse
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from returpost.contracts.routing import SERVICES

FOLDER = Path("secrets")
ADMIN = "returpost-admin"
BROKER, DATABASE = "rabbitmq:5672", "postgres:5432/returpost"
"""Where the servers are, seen from the containers."""


def generate(
    folder: Path, senders: Sequence[str] = ("default",), broker: str = BROKER, database: str = DATABASE
) -> list[str]:
    """Write the files that are missing, and return their names. URLs are made of the passwords that are there then."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    passwords = ["postgres_password", "rabbitmq_password", "returpost_token_keys"]
    passwords += [f"returpost_{service}_amqp_password" for service in SERVICES]
    passwords += [f"returpost_{service}_database_password" for service in SERVICES]
    passwords += [f"returpost_sender_{sender.replace('-', '_')}_amqp_password" for sender in senders]
    made = [name for name in passwords if _write(folder / name, secrets.token_urlsafe(36))]
    known = {name: (folder / name).read_text().strip() for name in passwords}
    return made + [name for name, text in _urls(known, broker, database).items() if _write(folder / name, text)]


def by_container(names: Sequence[str]) -> dict[str, list[str]]:
    """Return which of the secrets each container gets: its own, and no other's."""
    own = {
        service: [
            "returpost_token_keys",
            f"returpost_{service}_amqp_url",
            f"returpost_{service}_database_url",
        ]
        for service in SERVICES
    }
    passwords = [name for name in names if name.endswith(("_amqp_password", "_database_password"))]
    return {
        **own,
        "postgres": ["postgres_password"],
        "rabbitmq": ["rabbitmq_user.conf"],
        "setup": ["returpost_amqp_url", "returpost_database_url", "returpost_token_keys", *passwords],
        "tools": ["returpost_token_keys"],
    }


def distribute(folder: Path) -> None:
    """Copy into `folder/<container>` what each container needs; folders that are there are kept."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    for container, wanted in by_container(names).items():
        own = folder / container
        own.mkdir(exist_ok=True)
        for name in wanted:
            (own / name).write_bytes((folder / name).read_bytes())
            (own / name).chmod(0o644)


def _urls(password: Mapping[str, str], broker: str, database: str) -> dict[str, str]:
    settings = {"default_user": ADMIN, "default_pass": password["rabbitmq_password"], "log.console": "true"}
    found = {
        "rabbitmq_user.conf": "".join(f"{name} = {value}\n" for name, value in settings.items()),
        "returpost_amqp_url": f"amqp://{ADMIN}:{password['rabbitmq_password']}@{broker}/",
        "returpost_database_url": f"postgresql://{ADMIN}:{password['postgres_password']}@{database}",
    }
    for service in SERVICES:
        secret = quote(password[f"returpost_{service}_amqp_password"], safe="")
        found[f"returpost_{service}_amqp_url"] = f"amqp://returpost-{service}:{secret}@{broker}/"
        secret = quote(password[f"returpost_{service}_database_password"], safe="")
        found[f"returpost_{service}_database_url"] = f"postgresql://returpost_{service}:{secret}@{database}"
    return found


def _write(path: Path, text: str) -> bool:
    if path.exists():
        return False
    path.write_text(text)
    path.chmod(0o644)
    return True


def main(arguments: list[str] | None = None) -> int:
    """Generate what is missing, and report it."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.generate_secrets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--senders", default="default", help="names of the sending systems, separated by commas")
    given = parser.parse_args(arguments)
    made = generate(
        given.folder, [name for sender in given.senders.split(",") if (name := sender.partition(":")[0].strip())]
    )
    distribute(given.folder)
    sys.stdout.write(
        f"{given.folder}: {len(made)} secrets generated\n" if made else f"{given.folder}: nothing is missing\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
