"""Titles, legends, totals and notes around a table are left out and noted; no row of data is."""

import hypothesis.strategies as st
import openpyxl
import pytest
from hypothesis import given, settings

from ingest import MissingColumns, SourceUnreadable, UnknownKind, load
from ingest.readers.report_lines import is_total
from ingest.readers.text_layout import detect_delimiter, detect_layout
from tests.support.examples import examples

HEADER = ["Event Id", "Occurred At", "User", "Error Type", "Message"]
ROWS = [
    ["E1", "2026-12-03 09:00:00", "rep.ost", "NETWORK", "The network connection was lost"],
    ["E2", "2026-12-03 09:05:00", "rep.west", "LOCKED", "The record is locked by another user"],
]
ABOVE = [["Sync errors, week 49"], [], ["Status", "open"], ["Created", "2026-12-04", "by", "Desk Two"]]
BELOW = [["Total", "", "", "", "2"]]


def stored(store):
    return store.execute("SELECT event_id, message FROM sync_error ORDER BY event_id").fetchall()


EXPECTED = [(row[0], row[-1]) for row in ROWS]


def as_csv(rows, delimiter=","):
    return "".join(delimiter.join(row) + "\n" for row in rows)


def as_workbook(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        if len(rows) > 1 and len(rows[0]) == 1:
            sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=5)
    book.save(path)
    return path


@pytest.mark.parametrize("titles", range(len(ABOVE) + 1))
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_header_below_titles_is_found(store, tmp_path, clock, form, titles):
    rows = [*ABOVE[:titles], HEADER, *ROWS, *BELOW]
    path = tmp_path / f"a.{form}"
    if form == "csv":
        path.write_text(as_csv(rows), encoding="utf-8")
    else:
        as_workbook(path, {"Week 49": rows})
    (report,) = load(path, store, clock=clock)
    assert stored(store) == EXPECTED
    above = [note for note in report.notes if note.startswith("skipped above the header")]
    assert len(above) == sum(bool(row) for row in ABOVE[:titles])
    assert "skipped as total: Total, 2" in report.notes


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_header_may_be_thirty_lines_down(store, tmp_path, clock, form):
    rows = [*([[f"Remark {number}"] for number in range(29)]), HEADER, *ROWS]
    path = tmp_path / f"a.{form}"
    if form == "csv":
        path.write_text(as_csv(rows), encoding="utf-8")
    else:
        as_workbook(path, {"Week 49": rows})
    load(path, store, clock=clock)
    assert stored(store) == EXPECTED


def test_each_sheet_is_its_own_table(store, tmp_path, clock):
    path = as_workbook(
        tmp_path / "desk.xlsx",
        {
            "Week 48": [["Errors of week 48"], HEADER, ROWS[0], BELOW[0]],
            "Week 49": [["Errors of week 49"], HEADER, ROWS[1]],
            "Phone list": [["Name", "Phone"], ["Desk One", "100"]],
            "Template": [],
        },
    )
    reports = load(path, store, clock=clock)
    assert stored(store) == EXPECTED
    assert [(each.source, each.outcome) for each in reports] == [
        ("desk.xlsx#Week 48", "loaded"),
        ("desk.xlsx#Week 49", "loaded"),
        ("desk.xlsx#Phone list", "refused"),
        ("desk.xlsx#Template", "skipped"),
    ]
    assert reports[3].reason == "the sheet is empty"


def test_a_workbook_without_a_table_of_ours_raises(store, tmp_path, clock):
    path = as_workbook(tmp_path / "phones.xlsx", {"Phones": [["Name", "Phone"], ["Desk One", "100"]]})
    with pytest.raises(UnknownKind):
        load(path, store, clock=clock)


def test_surplus_cells_of_a_sheet_are_kept(store, tmp_path, clock):
    path = as_workbook(tmp_path / "a.xlsx", {"A": [HEADER, [*ROWS[0], None, "called back"]]})
    load(path, store, clock=clock)
    ((extra,),) = store.execute("SELECT extra FROM sync_error").fetchall()
    assert "called back" in extra


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", "\x1f", "\x01", "¦"])
def test_delimiters_are_detected(store, write, clock, delimiter):
    load(write("a.csv", as_csv([HEADER, *ROWS], delimiter)), store, clock=clock)
    assert stored(store) == EXPECTED


def test_the_rows_decide_between_two_delimiters():
    header = "Id;Message (text, code, place, state)\n"
    assert detect_delimiter(header, ["1;Lost\n", "2;Locked, again\n", "3;Denied\n"]) == ";"


@pytest.mark.parametrize("text", ["a^b\nno such sign here\n", "see ~2 lines\nabout 3\n"])
def test_a_rare_delimiter_needs_every_line(text):
    first, *following = text.splitlines(keepends=True)
    assert detect_layout(first, following).delimiter == ","


DRAWN = """\
 event_id |     occurred_at     | error_type |             message
----------+---------------------+------------+----------------------------------
 E1       | 2026-12-03 09:00:00 | NETWORK    | The network connection was lost
 E2       | 2026-12-03 09:05:00 | LOCKED     | The record is locked by another user
(2 rows)
"""
BOXED = """\
+----------+---------------------+------------+--------------------------------------+
| event_id | occurred_at         | error_type | message                              |
+----------+---------------------+------------+--------------------------------------+
| E1       | 2026-12-03 09:00:00 | NETWORK    | The network connection was lost      |
| E2       | 2026-12-03 09:05:00 | LOCKED     | The record is locked by another user |
+----------+---------------------+------------+--------------------------------------+
"""
MARKDOWN = """\
| event_id | occurred_at | error_type | message |
|---|:---|---|---:|
| E1 | 2026-12-03 09:00:00 | NETWORK | The network connection was lost |
| E2 | 2026-12-03 09:05:00 | LOCKED | The record is locked by another user |
"""
ALIGNED = """\
event_id   occurred_at           error_type   message
E1         2026-12-03 09:00:00   NETWORK      The network connection was lost
E2         2026-12-03 09:05:00   LOCKED       The record is locked by another user
"""


@pytest.mark.parametrize(
    "text", [DRAWN, BOXED, MARKDOWN, ALIGNED], ids=["psql", "mysql", "markdown", "spaces"]
)
def test_tables_that_are_drawn_or_aligned_are_read(store, write, clock, text):
    load(write("a.txt", text), store, clock=clock)
    assert stored(store) == EXPECTED


def test_a_repeated_header_is_no_row(store, write, clock):
    (report,) = load(write("a.csv", as_csv([HEADER, ROWS[0], HEADER, ROWS[1]])), store, clock=clock)
    assert stored(store) == EXPECTED
    assert "skipped as repeated header: row 2" in report.notes


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["Total", "", "", "", "12"], True),
        (["", "Gesamt:", "", "1.204", ""], True),
        (["Gesamtsummen (12 Datensätze)"], True),
        (["Itogo", "", "", "", "5"], False),
        (["Итого", "", "", "", "5"], True),
        (["合計", "", "", "", "5"], True),
        (["Grand Total", "3", "4", "5", "12"], True),
        (["Total loss of data", "", "", "", ""], False),
        (["Total", "2026-12-03", "U1", "LOCKED", "Denied"], False),
        (["Summer", "", "", "", "5"], False),
        (["Total 5 errors of many kinds were seen", "", "", "", ""], False),
        (["", "", "", "", ""], False),
    ],
)
def test_totals_are_recognized(cells, expected):
    assert is_total(cells, 5) == expected


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=12), min_size=5, max_size=5))
def test_a_row_with_text_in_most_cells_is_no_total(cells):
    cells = [f"{cell}x" for cell in cells]
    assert not is_total(["Total", *cells], 6)


def test_a_table_that_ends_empty_is_reported_as_empty(store, write, clock):
    (report,) = load(write("a.csv", "Errors of week 49\n" + as_csv([HEADER])), store, clock=clock)
    assert (report.outcome, report.reason) == ("empty", "the table has no rows")


REFUSED = {
    "a.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, ".xlsx"),
    "a.pdf": (b"%PDF-1.7\n%\xe2\xe3\n", "CSV"),
    "a.png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "synclens classify"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c\0\4" + b"\0" * 60, "Unpack"),
    "a.sqlite": (b"SQLite format 3\0" + b"\0" * 60, "CSV"),
    "a.rtf": (b"{\\rtf1\\ansi Hello}", "plain text"),
    "a.bin": (bytes(range(32)) * 20, "CSV"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_format_without_a_reader_is_refused_with_the_way_on(store, write, clock, name):
    content, way = REFUSED[name]
    with pytest.raises(SourceUnreadable) as refused:
        load(write("data.csv", content), store, clock=clock)
    assert way in refused.value.next_step


def test_text_that_begins_like_a_format_is_text(store, write, clock):
    for start in ("GIF", "BZh", "Rar", "PK", "MM", "II"):
        with pytest.raises((UnknownKind, MissingColumns)):
            load(write("a.csv", f"{start},size\nred,3\nblue,4\n"), store, clock=clock)
