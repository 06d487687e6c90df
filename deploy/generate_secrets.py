"""Generate the secrets that `docker-compose.yml` mounts: `python -m deploy.generate_secrets [FOLDER]`.

One file a secret, named as the settings are, in a folder that its owner alone may open: inside the containers, where
users have other numbers, the files are readable. Existing files stay as they are, so that it can be run again when
a sender is added. Needs nothing but Python.
"""

import argparse
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from returpost.contracts.routing import SERVICES

FOLDER = Path(__file__).with_name("secrets")
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


def _urls(password: Mapping[str, str], broker: str, database: str) -> dict[str, str]:
    found = {
        "rabbitmq_user.conf": f"default_user = {ADMIN}\ndefault_pass = {password['rabbitmq_password']}\n",
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
    sys.stdout.write(
        f"{given.folder}: {len(made)} secrets generated\n" if made else f"{given.folder}: nothing is missing\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
