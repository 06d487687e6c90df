"""API tokens and settings: what is accepted, what is refused, and that refusals tell no secret."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from fastapi import HTTPException

from returpost.errors import InvalidSettings
from services.classifier.settings import Settings
from shared.http.auth import Caller, issue, keys_of, verify
from shared.settings import load

KEY, OTHER = "k" * 40, "o" * 40
HOUR = timedelta(hours=1)


def token(key: str = KEY, lifetime: timedelta = HOUR) -> str:
    return issue(key, name="news", tenant="acme", scopes=("send",), lifetime=lifetime)


def test_a_token_speaks_for_its_caller_with_any_of_the_keys() -> None:
    assert verify(token(), [KEY]) == verify(token(), [OTHER, KEY]) == Caller("news", "acme", frozenset({"send"}))


@pytest.mark.parametrize(
    "wrong",
    [
        token(OTHER),
        token(lifetime=-HOUR),
        "nonsense",
        "",
        token()[:-2] + "xx",
        jwt.encode({"sub": "x", "tenant": "acme", "scopes": [], "aud": "returpost"}, KEY, "HS256"),
        jwt.encode({"sub": "x", "tenant": "acme", "exp": datetime.now(UTC) + HOUR, "aud": "other"}, KEY, "HS256"),
        jwt.encode({"sub": "x", "exp": datetime.now(UTC) + HOUR, "aud": "returpost"}, KEY, "HS256"),
        jwt.encode({"sub": "x", "tenant": "acme", "scopes": ["send"], "aud": "returpost"}, "", "none"),
    ],
    ids=["key", "expired", "text", "empty", "signature", "endless", "audience", "no-tenant", "unsigned"],
)
def test_what_no_key_made_speaks_for_nobody(wrong: str) -> None:
    assert verify(wrong, [KEY]) is None


def test_a_token_is_for_its_tenant() -> None:
    own, all_ = Caller("x", "acme", frozenset()), Caller("x", "*", frozenset())
    assert own.tenant_for(None) == own.tenant_for("acme") == all_.tenant_for("acme") == "acme"
    with pytest.raises(HTTPException, match="403"):
        own.tenant_for("rival")
    with pytest.raises(HTTPException, match="400"):
        all_.tenant_for(None)


@pytest.mark.parametrize("setting", ["", " , ", "short", f"{KEY},short"])
def test_weak_keys_are_refused(setting: str) -> None:
    with pytest.raises(InvalidSettings, match="RETURPOST_TOKEN_KEYS"):
        keys_of(setting)
    assert keys_of(f" {KEY} , {OTHER},") == [KEY, OTHER]


@pytest.mark.parametrize(("name", "scopes"), [("", ("send",)), ("a\nb", ("send",)), ("news", ("everything",))])
def test_names_and_scopes_are_checked(name: str, scopes: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSettings):
        issue(KEY, name=name, tenant="acme", scopes=scopes, lifetime=HOUR)


def test_a_service_s_own_setting_goes_before_the_common_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RETURPOST_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("RETURPOST_DATABASE_POOL", "3")
    monkeypatch.setenv("RETURPOST_CLASSIFIER_DATABASE_POOL", "4")
    (tmp_path / "returpost_classifier_amqp_url").write_text("amqp://own.example/")
    (tmp_path / "returpost_token_keys").write_text(KEY)
    monkeypatch.setenv("RETURPOST_SECRETS_DIR", str(tmp_path))
    settings = load(Settings, "classifier")
    assert (settings.log_level, settings.database_pool) == ("DEBUG", 4)
    assert settings.amqp_url.get_secret_value() == "amqp://own.example/"
    assert settings.token_keys.get_secret_value() == KEY
    assert KEY not in repr(settings)


def test_wrong_settings_are_named_and_no_value_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURPOST_DATABASE_POOL", "sesame")
    with pytest.raises(InvalidSettings, match="RETURPOST_DATABASE_POOL") as refused:
        load(Settings, "classifier")
    assert "sesame" not in str(refused.value)
    monkeypatch.delenv("RETURPOST_DATABASE_POOL")
    monkeypatch.setenv("RETURPOST_SECRETS_DIR", "/nowhere")
    with pytest.raises(InvalidSettings, match="/nowhere is not a folder"):
        load(Settings, "classifier")


@pytest.mark.parametrize("name", ["RETURPOST_CLASSIFIER_HTTP_BURST", "RETURPOST_HTTP_BURST"])
def test_a_wrong_setting_is_named_as_it_was_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "many")
    with pytest.raises(InvalidSettings, match=f"^{name}: "):
        load(Settings, "classifier")
