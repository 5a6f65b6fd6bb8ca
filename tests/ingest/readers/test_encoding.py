"""Text in any usual encoding is read as it was written, or the damage is counted and reported."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest import load
from ingest.readers.encoding import encoding_name, inspect_file
from ingest.readers.encoding_guess import guess_encoding
from tests.support.encoding_texts import TABLES
from tests.support.examples import examples

CASES = [(language, encoding) for language, (encodings, _) in TABLES.items() for encoding in encodings]
HEADER = "event_id,occurred_at,error_type,message\n"


def row(number, message):
    return f"E{number},2026-12-03T09:00:00Z,SYNC_FAILED,{message}\n"


def messages(store):
    return [text for (text,) in store.execute("SELECT message FROM sync_error ORDER BY event_id").fetchall()]


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_a_short_table_is_read_in_its_encoding(write, language, encoding):
    text = TABLES[language][1]
    for part in (text, "".join(text.splitlines(keepends=True)[:2])):
        examined = inspect_file(write("a.csv", part.encode(encoding)))
        assert part.encode(encoding).decode(examined.encoding) == part
        assert examined.damage == 0
        assert examined.notes == (
            f"read as {encoding_name(examined.encoding)}; set another encoding with --encoding",
        )


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_one_line_beyond_ascii_far_down_decides(write, language, encoding):
    line = TABLES[language][1].splitlines(keepends=True)[1]
    text = "id,name,text\n" + "1,Smith,plain\n" * 90_000 + line
    examined = inspect_file(write("a.csv", text.encode(encoding)))
    assert line.encode(encoding).decode(examined.encoding) == line


def test_most_single_names_are_read_in_their_encoding():
    right = total = 0
    for language, encoding in CASES:
        name = TABLES[language][1].splitlines()[1].replace(";", ",").split(",")[1]
        encoded = name.encode(encoding)
        if encoded.isascii() and b"\x1b" not in encoded:
            continue
        total += 1
        right += encoded.decode(guess_encoding(encoded), errors="replace") == name
    assert right >= 0.95 * total


NUMBERS = st.integers(1_000, 9_999_999).map(lambda number: f"{number:,}".replace(",", "\xa0"))


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1252", ("Nord", "Est")),
        *((name, ("Échec", "Été")) for name in ("cp1252", "iso8859_15", "cp850", "mac_roman")),
        *((name, ("Größe", "Über")) for name in ("cp1252", "iso8859_15", "cp850", "mac_roman")),
    ],
)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=30), sign=st.sampled_from(["", "\xa0%", ",5", "\xa0$"]))
@settings(max_examples=examples(25), deadline=None)
def test_no_break_spaces_in_numbers_are_read_as_written(encoding, words, numbers, sign):
    text = "".join(f"{words[at % 2]};17/11/2026;{number}{sign}\r\n" for at, number in enumerate(numbers))
    assert text.encode(encoding).decode(guess_encoding(text.encode(encoding))) == text


def test_letters_beside_numbers_decide_for_the_encoding_of_dos(write):
    text = "nom;état\nrégion 5ème;à 12 étés\nmás;1 000\n"
    assert inspect_file(write("a.csv", text.encode("cp850"))).encoding == "cp850"


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig", "utf-8"]
)
@pytest.mark.parametrize("language", ["Japanese", "Chinese, traditional", "Greek", "German", "Thai"])
def test_unicode_with_and_without_a_mark_needs_no_note(write, language, encoding):
    text = TABLES[language][1]
    examined = inspect_file(write("a.csv", text.encode(encoding)))
    assert text.encode(encoding).decode(examined.encoding) == text
    assert (examined.notes, examined.damage) == ((), 0)


def test_a_broken_character_in_utf8_is_counted_and_the_rest_is_kept(store, write, clock):
    content = (HEADER + row(1, "Größe überschritten") + row(2, "Zugriff auf Straße und Plätze")).encode()
    broken = content.replace("ß".encode(), "ß".encode()[:1], 1)
    (report,) = load(write("a.csv", broken), store, clock=clock)
    assert messages(store) == ["Gr\u00f6\ufffde überschritten", "Zugriff auf Straße und Plätze"]
    assert any(note.startswith("1 characters are damaged: they are not valid UTF-8") for note in report.notes)


def test_damage_from_an_earlier_export_is_counted(store, write, clock):
    (report,) = load(write("a.csv", HEADER + row(1, "Gr\ufffd\ufffde")), store, clock=clock)
    assert any(note.startswith("2 characters are damaged") for note in report.notes)


def test_an_encoding_that_the_user_sets_wins(store, write, clock):
    path = write("a.csv", (HEADER + row(1, "Größe")).encode("cp1252"))
    (report,) = load(path, store, encoding="cp1251", clock=clock)
    assert messages(store) == ["GrцЯe"]
    assert not any("read as" in note for note in report.notes)


def test_a_wrong_encoding_that_the_user_sets_reports_the_damage(store, write, clock):
    path = write("a.csv", (HEADER + row(1, "Größe überall")).encode("cp1252"))
    (report,) = load(path, store, encoding="utf-8", clock=clock)
    assert any(note.startswith("3 characters are damaged") for note in report.notes)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.sampled_from([case for case in CASES if case[1] not in ("cp866", "iso2022_jp")]),
    st.lists(st.integers(0, 2), min_size=2, max_size=30),
)
def test_any_lines_of_a_language_are_read_as_written(case, lines):
    language, encoding = case
    every = TABLES[language][1].splitlines(keepends=True)
    text = every[1] + every[2] + "".join(every[line] for line in lines)
    assert text.encode(encoding).decode(guess_encoding(text.encode(encoding))) == text


@settings(max_examples=examples(150), deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_are_inspected(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "a"
    path.write_bytes(content)
    examined = inspect_file(path)
    assert examined.size == len(content)
    content.decode(examined.encoding, errors="replace")
