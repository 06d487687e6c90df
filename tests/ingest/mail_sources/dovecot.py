"""A private Dovecot: free ports of loopback, all files in one folder, one user a test."""

import imaplib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local.install import install_package
from deploy.local.processes import end, free_port, wait_until

MAIL_USER = "mail"
"""Dovecot gives no mail to root."""
PASSWORD = 'a password with "quotes" and \\'

_CONFIGURATION = """\
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = {folder}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
mail_location = maildir:~/Maildir
maildir_stat_dirs = yes
mail_max_userip_connections = 100
first_valid_uid = 1
default_internal_user = {internal}
default_login_user = {login}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""

_OAUTH = """\
introspection_mode = post
introspection_url = http://127.0.0.1:{port}/introspect
username_attribute = user
active_attribute = active
active_value = true
"""


@dataclass(frozen=True)
class Dovecot:
    """Where it listens, and the folder that it has everything in."""

    folder: Path
    imap: int
    imaps: int

    def add_user(self, name: str) -> Path:
        """Add a user with `PASSWORD`; return where its Maildir will be."""
        with (self.folder / "users").open("a") as users:
            users.write(f"{name}:{{PLAIN}}{PASSWORD}\n")
        return self.folder / "mail" / name / "Maildir"

    def client(self, user: str) -> imaplib.IMAP4:
        """Return an independent client that is logged in."""
        client = imaplib.IMAP4("127.0.0.1", self.imap, timeout=60)
        client.login(user, PASSWORD)
        return client

    def log(self) -> str:
        """Return the end of its log."""
        return (self.folder / "dovecot.log").read_text(errors="replace")[-3_000:]


@contextmanager
def dovecot(certificate: tuple[bytes, bytes], oauth_port: int) -> Iterator[Dovecot]:
    """Start Dovecot, installing it when it is not there; `oauth_port` is where it asks about tokens."""
    binary = install_package("dovecot-imapd", lambda: shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin"))
    # Its processes run as other users, who may not look into the folders of the tests.
    folder = Path(tempfile.mkdtemp(prefix="returpost-dovecot-"))
    folder.chmod(0o755)
    owner = pwd.getpwnam(MAIL_USER)
    (folder / "mail").mkdir()
    os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
    (folder / "users").touch()
    for name, content in zip(("certificate.pem", "key.pem"), certificate, strict=True):
        (folder / name).write_bytes(content)
    server = Dovecot(folder, free_port(), free_port())
    (folder / "oauth2.conf").write_text(_OAUTH.format(port=oauth_port))
    (folder / "dovecot.conf").write_text(
        _CONFIGURATION.format(
            folder=folder, uid=owner.pw_uid, gid=owner.pw_gid, imap=server.imap, imaps=server.imaps,
            internal="dovecot", login="dovenull",
        )
    )  # fmt: skip
    started = subprocess.Popen([binary, "-F", "-c", str(folder / "dovecot.conf")])
    try:
        wait_until(lambda: _answers(server), 60, "Dovecot to start")
        yield server
    finally:
        end(psutil.Process(started.pid))
        started.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(server: Dovecot) -> bool:
    try:
        imaplib.IMAP4("127.0.0.1", server.imap, timeout=10).logout()
    except (OSError, imaplib.IMAP4.error):
        return False
    return True
