"""HTML tables and workbooks in XML, which many systems export as .xls, are read as tables."""

import html

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest import SourceUnreadable, load
from ingest.readers.markup_tables import is_markup, read_markup_tables
from tests.support.examples import examples

HEADER = ["Event Id", "Occurred At", "Error Type", "Message"]
ROWS = [
    ["E1", "2026-12-03 09:00:00", "NETWORK", "The network connection was lost"],
    ["E2", "2026-12-03 09:05:00", "LOCKED", "The record & its copy are <locked>"],
]


def as_html(rows, start="<html><body>"):
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"{start}<table border=1>{body}</table></body></html>"


def as_xml(rows):
    body = "".join(
        "<Row>"
        + "".join(f'<Cell><Data ss:Type="String">{html.escape(cell)}</Data></Cell>' for cell in row)
        + "</Row>"
        for row in rows
    )
    return (
        '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook xmlns:ss="urn:x">'
        f'<Worksheet ss:Name="Week 49"><Table>{body}</Table></Worksheet></Workbook>'
    )


def stored(store):
    return store.execute("SELECT event_id, message FROM sync_error ORDER BY event_id").fetchall()


@pytest.mark.parametrize("write_table", [as_html, as_xml])
def test_a_table_in_markup_is_read_below_its_title(store, write, clock, write_table):
    rows = [["Errors of week 49"], HEADER, *ROWS, ["Total", "2"]]
    (report,) = load(write("report.xls", write_table(rows)), store, clock=clock)
    assert stored(store) == [(row[0], row[3]) for row in ROWS]
    assert "skipped above the header: Errors of week 49" in report.notes
    assert "skipped as total: Total, 2" in report.notes


def test_an_encoding_of_windows_is_detected(store, write, clock):
    rows = [HEADER, ["E1", "2026-12-03 09:00:00", "LOCKED", "Der Datensatz für Jörg Weiß ist gesperrt"]]
    load(write("report.xls", as_html(rows).encode("cp1252")), store, clock=clock)
    assert stored(store) == [("E1", rows[1][3])]


def test_cells_that_are_left_out_or_span_columns_keep_the_others_in_place():
    text = (
        '<?xml version="1.0"?><Workbook><Worksheet ss:Name="A"><Table><Row><Cell>a</Cell><Cell>b</Cell><Cell>c</Cell>'
        '</Row><Row><Cell>1</Cell><Cell ss:Index="3">3</Cell></Row></Table></Worksheet></Workbook>'
    )
    (source,) = read_markup_tables(text, "a.xml")
    assert [row.cells for row in source.rows] == [{"a": "1", "b": None, "c": "3"}]
    text = "<table><tr><th>a<th>b<th>c<tr><td colspan=2>1<td>3</table>"
    (source,) = read_markup_tables(text, "a.html")
    assert [row.cells for row in source.rows] == [{"a": "1", "b": None, "c": "3"}]


def test_tables_that_only_place_others_are_no_tables():
    inner = as_html([HEADER, *ROWS], start="")
    text = (
        f"<html><table><tr><td>Logo</td><td>Menu</td></tr><tr><td>{inner}</td><td>x</td></tr></table></html>"
    )
    (source,) = read_markup_tables(text, "page.html")
    assert source.header == HEADER


def test_xml_without_a_table_is_refused_with_the_way_on(store, write, clock):
    with pytest.raises(SourceUnreadable, match="XML without a table") as refused:
        load(
            write("a.xml", '<?xml version="1.0"?><errors><error>Denied</error></errors>'), store, clock=clock
        )
    assert "CSV" in refused.value.next_step


CELLS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=20
)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from([as_html, as_xml]),
)
def test_any_cells_are_read_as_written(rows, write_table):
    (source,) = read_markup_tables(write_table([["first", "second", "third"], *rows]), "a.xls")
    read = [list(row.cells.values()) for row in source.rows]
    assert len(read) + len(source.notes) == len(rows)
    assert all(row in rows for row in read)


@settings(max_examples=examples(80), deadline=None)
@given(st.text(alphabet='<>/"=& abtdrhlecwokx!?-[]\n0123', max_size=200))
def test_broken_markup_never_crashes(text):
    for source in read_markup_tables(f"<html><table><tr>{text}", "a.html"):
        list(source.rows)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("<table>", True),
        ("\n<!-- made by Desk -->\n<HTML>", True),
        ("<?xml version='1.0'?>", True),
        ("<34>1 2026-12-03T09:00:00Z host app - - - text", False),
        ("<tablets>", False),
        ("a,b\n<table>", False),
    ],
)
def test_markup_is_recognized_by_its_start(start, expected):
    assert is_markup(start) == expected
