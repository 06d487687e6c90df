"""Settings from variables and secret files, and what of them a service is told."""

from pathlib import Path

import pytest

from returpost.cli.env_config import for_service, setting

OUTER = {
    "PATH": "/bin",
    "RETURPOST_AMQP_URL": "amqp://admin:admin@h/",
    "RETURPOST_AMQP_MANAGEMENT_URL": "http://admin:admin@h",
    "RETURPOST_DATABASE_URL": "postgresql://admin@h/d",
    "RETURPOST_BLOCKLIST_DATABASE_URL": "postgresql://admin@other/d",
    "RETURPOST_BLOCKLIST_DATABASE_PASSWORD": "secret",
    "RETURPOST_CLASSIFIER_DATABASE_PASSWORD": "secret",
    "RETURPOST_CLASSIFIER_AMQP_PASSWORD": "secret",
    "RETURPOST_CLASSIFIER_RETRY_DELAYS": "1s",
    "RETURPOST_INGEST_HTTP_PORT": "1",
    "RETURPOST_LOG_LEVEL": "DEBUG",
    "RETURPOST_SECRETS_DIR": "/run/secrets",
    "RETURPOST_TOKEN_KEYS": "k",
    "RETURPOST_TOKEN": "t",
}


def test_a_service_gets_its_own_and_no_other_secret() -> None:
    own = {"AMQP_URL": "amqp://mine", "TOKEN_KEYS": "mine"}
    assert for_service("classifier", OUTER, own) == {
        "PATH": "/bin",
        "RETURPOST_CLASSIFIER_RETRY_DELAYS": "1s",
        "RETURPOST_LOG_LEVEL": "DEBUG",
        "RETURPOST_AMQP_URL": "amqp://mine",
        "RETURPOST_TOKEN_KEYS": "mine",
    }


def test_a_setting_is_a_variable_or_else_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURPOST_SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("RETURPOST_TOKEN_KEYS", raising=False)
    assert setting("TOKEN_KEYS") is None
    (tmp_path / "returpost_token_keys").write_text("from the file\n")
    assert setting("TOKEN_KEYS") == "from the file"
    monkeypatch.setenv("RETURPOST_TOKEN_KEYS", "from the variable")
    assert setting("TOKEN_KEYS") == "from the variable"
