"""The parts of the console that need neither browser nor services."""

import re
import struct
import zlib
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given, strategies as st

import services.console
from returpost.contracts.enums import Reason
from services.console import i18n
from services.console.auth.session import is_own, read
from services.console.auth.sign_in import own_path
from services.console.components.charts.chart import ChartFile
from services.console.components.dialogs.operation_dialog import export_parameters
from services.console.components.markup import plain
from services.console.components.tables.source import Group
from services.console.components.tables.view import View, from_query, to_query
from services.console.http.csp import hardened, policy
from services.console.i18n.reasons import REASONS
from services.console.pages.mailings import days_of
from services.console.pages.rows import in_order
from services.console.pages.settings import stop_signals
from shared.http.auth import issue
from tests.support.animated_png import animated

WORDS = {"t": None, "tn": (1, 2), "_": None, "gettext_noop": None}
NO_TEXTS = {"export", "state", "why"}
"""Keys of tables, which the reader of the sources takes for texts."""
NAMES = st.from_regex(r"[a-g][a-g._-]{0,7}", fullmatch=True)
"""Names of columns and reasons: they begin with a letter, so that a minus before one is the order."""


def test_every_text_of_the_console_has_its_norwegian_with_the_same_places() -> None:
    folder = Path(services.console.__path__[0])
    found = extract_from_dir(str(folder), method_map=[("**.py", "python")], keywords=WORDS)
    catalog = i18n.catalog("nb")
    with (folder / "i18n" / "nb.po").open("rb") as file:
        written = {(one.id if isinstance(one.id, str) else one.id[0]) for one in read_po(file) if one.string}
    missing, different = [], []
    for _file, _line, message, _comments, _context in found:
        singular = message if isinstance(message, str) else message[0]
        if singular in NO_TEXTS:
            continue
        plain = message if isinstance(message, str) else message[1]
        told = catalog.gettext(singular) if isinstance(message, str) else catalog.ngettext(singular, plain, 2)
        if singular not in written:
            missing.append(singular)
        if set(re.findall(r"\{\w+\}", plain)) != set(re.findall(r"\{\w+\}", told)):
            different.append(singular)
    assert missing == []
    assert different == []


def test_every_reason_has_plain_words_without_a_code() -> None:
    assert set(REASONS) == set(Reason)
    for words in REASONS.values():
        for text in (words.title, words.sentence, words.advice):
            assert text
            assert not re.search(r"\d\.\d", text), text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("nb-NO,nb;q=0.9,en;q=0.8", "nb"), ("no", "nb"), ("nn-NO", "nb"), ("en-GB,nb;q=0.5", "en"),
        ("de,fr;q=0.9", "en"), ("", "en"), ("nb;q=0", "en"), ("x;q=x,nb", "nb"),
    ],
)  # fmt: skip
def test_the_language_is_the_browsers(accepted: str, language: str) -> None:
    assert i18n.preferred(accepted) == language


def test_numbers_and_times_are_written_as_in_the_country() -> None:
    norwegian, english = i18n.Texts("nb", "Europe/Oslo"), i18n.Texts("en", "Europe/London")
    assert norwegian.percent(0.0123) == "1,2 %"
    assert english.percent(0.0123) == "1.2%"
    assert norwegian.number(12345).replace("\xa0", " ") == "12 345"
    assert norwegian.time("2026-11-24T08:05:00Z") == "24. nov. 2026 09:05"
    assert english.time("2026-11-24T08:05:00Z") == "24 Nov 2026 08:05"
    assert i18n.Texts("en", "No/Where").zone.key == "UTC"


def test_the_policy_lets_nothing_be_evaluated_or_framed() -> None:
    told = policy("abc")
    assert "unsafe" not in told
    assert "frame-ancestors 'none'" in told
    assert "default-src 'none'" in told


def test_inline_scripts_and_styles_get_the_nonce_and_data_gets_none() -> None:
    html = '<!doctype html><html dir="ltr"><style>a</style><script type="module">`&lt;script&gt;`</script></html>'
    made = hardened(html, nonce="n1", language="nb", theme="dark")
    assert made.count('nonce="n1"') == 2
    assert '<html lang="nb" dir="ltr" data-theme="dark">' in made
    assert "`&lt;script&gt;`" in made


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": "http://a:1", "host": "a:1"}, True),
        ({"origin": "http://a:2", "host": "a:1"}, False),
        ({"origin": "null", "host": "a:1"}, False),
        ({"host": "a:1"}, True),
        ({"host": "a:1", "sec-fetch-site": "cross-site"}, False),
        ({"host": "a:1", "sec-fetch-site": "same-origin"}, True),
    ],
)
def test_forged_requests_are_told_by_where_they_come_from(headers: dict[str, str], own: bool) -> None:
    assert is_own(headers) is own


@given(st.text())
def test_no_text_turns_its_direction(text: str) -> None:
    shown = plain(f"ann\u202egro.elpmaxe{text}")
    assert not set(shown) & set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert plain(shown) == shown
    assert plain("Åse Ødegård <a@b.no>") == "Åse Ødegård <a@b.no>"


@pytest.mark.parametrize("language", ["nb", "en"])
def test_an_export_for_people_has_words_for_every_reason_and_one_for_programs_has_none(language: str) -> None:
    texts = i18n.Texts(language)
    people = export_parameters(texts, "xlsx", programs=False)
    assert set(people["labels"]["reason"]) == set(REASONS)
    assert people["labels"]["reason"]["user_unknown"] == texts.t("Address does not exist")
    assert "labels" not in export_parameters(texts, "csv", programs=True)
    assert export_parameters(texts, "txt", programs=False)["columns"] == ["address"]


def test_pictures_become_one_that_moves() -> None:
    red, green = (png(colour) for colour in (b"\xff\x00\x00", b"\x00\xff\x00"))
    made = animated([(red, 500), (green, 700)])
    assert made.startswith(red[:33])  # the signature and the size
    assert [kind.decode() for kind in re.findall(b"IHDR|acTL|fcTL|IDAT|fdAT|IEND", made)] == [
        "IHDR", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "IEND",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="2 sizes"):
        animated([(red, 1), (png(b"\x00\x00\xff" * 2, width=2), 1)])


def png(pixels: bytes, width: int = 1) -> bytes:
    head = struct.pack(">IIBBBBB", width, 1, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\x00" + pixels)), (b"IEND", b""))
    written = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "x"])
def test_signing_in_leads_to_no_other_place(target: str) -> None:
    assert own_path(target) == "/"
    assert own_path("/blocked?tab=complaints") == "/blocked?tab=complaints"


def test_a_session_is_over_with_its_token() -> None:
    key = "a-key-for-tests-of-sufficient-length"
    good = issue(key, name="kari", tenant="acme", scopes=("read",), lifetime=timedelta(minutes=1))
    over = issue(key, name="kari", tenant="acme", scopes=("read",), lifetime=timedelta(minutes=-1))
    held = read(good)
    assert held is not None
    assert (held.name, held.tenant, held.scopes) == ("kari", "acme", frozenset({"read"}))
    assert all(read(token) is None for token in (over, None, "", "x", "x.y.z", "x.e30.z"))


VIEWS = st.builds(
    View,
    sort=NAMES,
    descending=st.booleans(),
    group=NAMES | st.just(""),
    search=st.text(max_size=20),
    filters=st.lists(st.text(min_size=1, max_size=9), unique=True, max_size=3).map(
        lambda values: tuple(("company", value) for value in values)
    ),
    hidden=st.frozensets(NAMES, max_size=3),
    after=st.text(max_size=20),
    opened=st.text(max_size=20),
)


@given(VIEWS)
def test_a_link_shows_the_same_view(view: View) -> None:
    usual = {"sort": "since", "descending": True, "hidden": frozenset({"code"})}
    query = to_query(view, **usual, also={"tab": "x"})  # type: ignore[arg-type]
    assert from_query(dict(parse_qsl(query, keep_blank_values=True)), **usual) == view  # type: ignore[arg-type]


def test_groups_are_ordered_by_their_nature() -> None:
    def ordered(group: str, *values: str | None) -> list[str | None]:
        return [one.value for one in in_order(group, [Group(value, value or "", 1) for value in values])]

    assert ordered("day", "2026-11-02", None, "2026-12-01") == ["2026-12-01", "2026-11-02", None]
    assert ordered("return_count", "9", "10", "1") == ["10", "9", "1"]
    assert ordered("status", "opened", "ready", "delivered") == ["ready", "delivered", "opened"]
    assert ordered("name", "~cse", None, "berg") == ["berg", "~cse", None]
    assert ordered("reason", "user_unknown", "expired") == ["user_unknown", "expired"], "as the service has them"


def test_days_of_a_month_are_its_first_and_its_last() -> None:
    assert days_of("2026-02") == ("2026-02-01", "2026-02-28")
    assert days_of("2028-02") == ("2028-02-01", "2028-02-29")
    assert days_of("2026-13") == days_of("nothing") == (None, None)


def test_chart_as_csv_has_the_commas_of_the_language_and_no_formula() -> None:
    rows = [("=HYPERLINK(1)", 2.5), ("Brev; høst", 10)]
    norwegian = ChartFile.of(i18n.Texts("nb"), "Returandel", ("Utsendelse", "%"), rows).csv()
    assert norwegian == '\ufeffUtsendelse;%\r\n\'=HYPERLINK(1);2,5\r\n"Brev; høst";10\r\n'
    english = ChartFile.of(i18n.Texts("en"), "Rate", ("Mailing", "%"), rows).csv()
    assert english == "\ufeffMailing,%\r\n'=HYPERLINK(1),2.5\r\nBrev; høst,10\r\n"


@given(st.floats(0.00001, 1).map(lambda one: round(one, 6)))
def test_share_is_typed_in_per_cent(share: float) -> None:
    assert stop_signals.share(stop_signals.percent(share)) == share


@pytest.mark.parametrize("typed", ["0", "-1", "101", "1e1", "x", "1,2,3", "NaN"])
def test_what_is_no_share_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=re.escape(typed)):
        stop_signals.share(typed)
    assert stop_signals.share(" ") is None
    assert stop_signals.share("0,3") == 0.003
