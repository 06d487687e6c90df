"""A token is used once: in one process, and in the file by all processes of a machine and after a restart."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from returpost.errors import InvalidSettings, Unavailable
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.replay_cache import ReplayCache, UsedTokens
from services.ingest.webhooks.repository import SharedReplayCache

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(hours=9)


@pytest.fixture(params=["memory", "file"])
def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UsedTokens]:
    if request.param == "memory":
        yield ReplayCache()
        return
    with closing(SharedReplayCache(tmp_path / "tokens")) as shared:
        yield shared


def test_a_token_is_used_once_until_it_is_no_longer_good(tokens: UsedTokens) -> None:
    tokens.take("acme:one", UNTIL, NOW)
    tokens.keep("acme:one")
    for at in (NOW, UNTIL - timedelta(microseconds=1)):
        with pytest.raises(Unauthenticated) as refused:
            tokens.take("acme:one", UNTIL, at)
        assert (refused.value.reason, refused.value.final) == ("replayed", True)
    tokens.take("other:one", UNTIL, NOW)
    tokens.take("acme:one", UNTIL + timedelta(hours=9), UNTIL)  # the provider has a new one of that name
    with pytest.raises(Unauthenticated):
        tokens.take("acme:one", UNTIL + timedelta(hours=9), UNTIL)


def test_what_was_not_taken_may_come_again(tokens: UsedTokens) -> None:
    tokens.take("acme:one", UNTIL, NOW)
    tokens.give_back("acme:one")
    tokens.give_back("acme:never seen \ud800")
    tokens.take("acme:one", UNTIL, NOW)
    with pytest.raises(Unauthenticated):
        tokens.take("acme:one", UNTIL, NOW)


def test_a_restart_forgets_no_token_and_keeps_none_that_is_over(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    with closing(SharedReplayCache(path)) as tokens:
        tokens.take("acme:soon over", NOW + timedelta(minutes=1), NOW)
        tokens.take("acme:one", UNTIL, NOW)
        tokens.keep("acme:one")
    assert path.stat().st_mode & 0o077 == 0
    with closing(SharedReplayCache(path)) as tokens:
        with pytest.raises(Unauthenticated):
            tokens.take("acme:one", UNTIL, NOW + timedelta(hours=1))
        assert tokens._run("SELECT count(*) FROM used").fetchone() == (1,)


def test_of_a_process_that_is_killed_before_it_answers_the_token_comes_again(tmp_path: Path) -> None:
    with closing(SharedReplayCache(tmp_path / "tokens")) as killed:
        killed.take("acme:one", UNTIL, NOW)
    with closing(SharedReplayCache(tmp_path / "tokens")) as tokens:
        with pytest.raises(Unauthenticated) as refused:
            tokens.take("acme:one", UNTIL, NOW + SharedReplayCache.IN_USE - timedelta(seconds=1))
        assert not refused.value.final  # or the provider would not try again
        tokens.take("acme:one", UNTIL, NOW + SharedReplayCache.IN_USE)
        tokens.keep("acme:one")
        with pytest.raises(Unauthenticated) as refused:
            tokens.take("acme:one", UNTIL, UNTIL - timedelta(seconds=1))
        assert refused.value.final


_TAKER = """
import sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from services.ingest.webhooks.errors import Unauthenticated
from services.ingest.webhooks.repository import SharedReplayCache
tokens, now = SharedReplayCache(Path(sys.argv[1])), datetime.now(UTC)
print("ready", flush=True)
sys.stdin.readline()
for n in range(400):
    try:
        tokens.take(f"acme:{n}", now + timedelta(hours=1), now)
    except Unauthenticated:
        continue
    print(n)
"""


def test_of_processes_that_race_for_the_same_tokens_one_gets_each(tmp_path: Path) -> None:
    line = [sys.executable, "-c", _TAKER, str(tmp_path / "tokens")]
    racing = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for one in racing:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in racing:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    taken = [list(map(int, one.communicate(timeout=60)[0].split())) for one in racing]
    assert [one.returncode for one in racing] == [0, 0]
    assert Counter(taken[0] + taken[1]) == Counter(range(400))


def test_a_file_that_cannot_be_had_is_told_and_one_that_fails_lets_nobody_in(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="the file of used tokens"):
        SharedReplayCache(tmp_path / "no folder" / "tokens")
    (tmp_path / "text").write_text("this is no database, and has been something else for a long time")
    with pytest.raises(InvalidSettings, match="the file of used tokens"):
        SharedReplayCache(tmp_path / "text")
    with closing(SharedReplayCache(tmp_path / "tokens")) as tokens:
        tokens._run("DROP TABLE used")  # as a disk that fails
        with pytest.raises(Unavailable, match="the file of used tokens"):
            tokens.take("acme:one", UNTIL, NOW)
