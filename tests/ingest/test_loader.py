import json

import pytest

from ingest import CellFormat, MissingColumns, SourceMissing, SourceUnreadable, UnknownKind, load
from ingest.readers.encoding import inspect_file

HEADER = "id,sync_start_datetime__v,successful_sync__v,number_of_uploads__v\n"


def counts(report):
    return report.rows_new, report.rows_updated, report.rows_unchanged, report.rows_rejected


def rejected(store):
    return store.execute("SELECT row_number, reasons FROM rejected_row ORDER BY row_number").fetchall()


def test_every_row_of_the_sample_export_is_stored_or_rejected(store, data, clock):
    (report,) = load(data / "sync_tracking__v_export.csv", store, clock=clock)
    assert (report.kind, report.rows_in, counts(report)) == ("sync_tracking__v", 312, (306, 0, 0, 6))
    assert [row for row, _ in rejected(store)] == [32, 78, 79, 121, 162, 203]
    assert rejected(store)[3][1] == [
        "id: is missing",
        "sync_start_datetime__v: is not a valid timestamp (2026-13-40T25:61:00.000Z)",
    ]


def test_every_row_of_the_sample_errors_is_stored_or_rejected(store, data, clock):
    (report,) = load(data / "sync_errors.jsonl", store, clock=clock)
    assert (report.kind, report.rows_in, counts(report)) == ("sync_error", 60, (57, 0, 0, 3))


@pytest.mark.parametrize("name", ["sync_tracking__v_export.csv", "sync_errors.jsonl"])
def test_loading_twice_changes_nothing(store, data, clock, name):
    (first,) = load(data / name, store, clock=clock)
    before = {
        table: store.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
        for table in ("sync_tracking__v", "sync_error", "rejected_row")
    }
    (again,) = load(data / name, store, clock=clock)
    assert counts(again) == (0, 0, first.rows_new, first.rows_rejected)
    for table, rows in before.items():
        assert store.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() == rows


def test_a_report_counts_the_reasons_as_plain_values(store, data, clock):
    (report,) = load(data / "sync_tracking__v_export.csv", store, clock=clock)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["reasons"]["sync_start_datetime__v: is not a valid timestamp"] == 2
    assert plain["first_rejected"] == [32, 78, 79, 121, 162, 203]
    assert plain["started_at"] == "2026-11-22T12:00:00+00:00"


def test_a_missing_store_is_created(tmp_path, data):
    (report,) = load(data / "sync_errors.jsonl", tmp_path / "new.duckdb")
    assert report.rows_new == 57


def test_columns_without_a_place_are_kept_in_extra(store, write, clock):
    load(
        write("a.csv", HEADER.strip() + ",rating__c\nV1,2026-11-02T08:00Z,true,1,high\n"), store, clock=clock
    )
    assert store.execute("SELECT extra FROM sync_tracking__v").fetchall() == [('{"rating__c":"high"}',)]


def test_an_error_without_an_id_gets_one_from_its_content(store, write, clock):
    line = '{"occurred_at": "2026-11-02T08:00:00Z", "message": "Call is locked"}\n'
    (report,) = load(write("a.jsonl", line + line), store, clock=clock)
    assert counts(report) == (1, 0, 1, 0)


def test_a_page_of_the_api_is_read_like_lines(store, write, clock):
    page = {
        "responseStatus": "SUCCESS",
        "data": [
            {
                "id": "V1",
                "sync_start_datetime__v": "2026-11-02T08:00:00.000Z",
                "sync_type__v": ["a__v", "b__v"],
            }
        ],
    }
    for indent in (None, 2):
        load(write(f"page{indent}.json", json.dumps(page, indent=indent)), store, clock=clock)
    assert store.execute("SELECT id, sync_type__v FROM sync_tracking__v").fetchall() == [("V1", "a__v,b__v")]


def test_a_sheet_with_labels_and_local_dates_needs_only_the_date_order(store, write, clock):
    report = (
        '"Sync Tracking: Sync Tracking Name","Owner Name","Sync Type","Successful Sync",'
        '"Sync Start Datetime","Sync Duration"\n'
        '"ST-0000123","Rep One","Incremental","1","04/03/2024 07:58","98,5"\n\n\n'
        '"Sync health"\n"Confidential - Do Not Distribute"\n'
    )
    path = write("report.csv", report)
    (refused,) = load(path, store, clock=clock)
    (taken,) = load(path, store, cell_format=CellFormat("Europe/Madrid", "dmy"), clock=clock)
    assert refused.reasons == {
        "sync_start_datetime__v: has an ambiguous day and month order; set date_order in a mapping": 1
    }
    assert (counts(taken), len(taken.notes)) == ((1, 0, 0, 0), 2)
    row = store.execute(
        "SELECT id, sync_start_datetime__v::VARCHAR, sync_duration__v FROM sync_tracking__v"
    ).fetchone()
    assert row == ("ST-0000123", "2024-03-04 06:58:00", 98.5)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(("ends", "delimiter"), [("\n", ","), ("\r\n", ";"), ("\r", "\t"), ("\n", "|")])
def test_encodings_line_ends_and_delimiters_do_not_matter(store, write, clock, encoding, ends, delimiter):
    lines = [
        HEADER.strip().replace(",", delimiter),
        delimiter.join(["Vé1", "2026-11-02 08:00:00", "TRUE", "3"]),
        "",
    ]
    (report,) = load(write("a.csv", ends.join(lines).encode(encoding)), store, clock=clock)
    assert store.execute("SELECT id FROM sync_tracking__v").fetchall() == [("Vé1",)], report


def test_a_quote_that_is_never_closed_costs_one_row(store, write, clock):
    body = '"V1,2026-11-02T08:00Z,true,1\n' + "".join(
        f"V{n},2026-11-02T08:00Z,true,1\n" for n in range(2, 500)
    )
    (report,) = load(write("a.csv", HEADER + body), store, clock=clock)
    assert counts(report) == (498, 0, 0, 1)
    assert rejected(store) == [(1, ["row: a quote is never closed"])]


def test_columns_that_match_no_table_raise_unknown_kind(store, write, clock):
    path = write("a.csv", "colour,size\nred,3\n")
    with pytest.raises(UnknownKind) as unknown:
        load(path, store, clock=clock)
    with pytest.raises(MissingColumns) as lacking:
        load(path, store, as_kind="sync_error", clock=clock)
    assert "--as" in unknown.value.next_step
    assert "an error needs a message, a code or a type" in str(lacking.value)


def test_an_empty_export_is_reported_as_empty(store, write, clock):
    (report,) = load(write("a.csv", "No results to display\n"), store, clock=clock)
    assert (report.rows_in, report.outcome, report.reason) == (0, "empty", "the export has no rows")


def test_a_customers_mapping_is_only_a_file(store, write, clock):
    mapping = write(
        "ours.toml",
        'title = "Our export"\nkind = "sync_tracking__v"\ntime_zone = "Europe/Berlin"\n'
        '[columns]\nid = ["Kennung"]\nsync_start_datetime__v = ["Beginn"]\n',
    )
    (report,) = load(
        write("a.csv", "Kennung;Beginn\nV1;02.11.2026 09:00\n"), store, mappings=[mapping], clock=clock
    )
    assert counts(report) == (1, 0, 0, 0)
    assert store.execute("SELECT sync_start_datetime__v::VARCHAR FROM sync_tracking__v").fetchone() == (
        "2026-11-02 08:00:00",
    )


def test_a_missing_or_empty_file_raises_an_error(store, write, tmp_path):
    with pytest.raises(SourceMissing):
        load(tmp_path / "nothing.csv", store)
    with pytest.raises(SourceUnreadable):
        load(write("empty.csv", ""), store)


PLAIN = HEADER + "V1,2026-11-02T08:00Z,true,1\nV2,soon,true,2\n"


@pytest.mark.parametrize(
    "content",
    [
        "Sync report\n" + PLAIN,
        "Sync report\n\nGenerated by, Admin Two\n" + PLAIN,
        "\r\n\r\n" + PLAIN.replace("\n", "\r\n"),
        "Sync report,,,\nFrom,2026-11-01,,\n,,,\n" + PLAIN,
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"sep=|"\nSync report\n' + PLAIN.replace(",", "|"),
    ],
)
def test_lines_above_the_header_are_noted_and_not_counted(store, write, clock, content):
    (report,) = load(write("a.csv", content), store, clock=clock)
    assert (report.rows_in, counts(report)) == (2, (1, 0, 0, 1))
    assert rejected(store) == [(2, ["sync_start_datetime__v: is not a valid timestamp (soon)"])]
    above = content.partition("id")[0]
    *notes, users = report.notes
    assert users.startswith("no column names the users")
    assert len(notes) == sum(1 for line in above.splitlines() if line.strip())
    assert all(note.startswith("skipped above the header: ") for note in notes)


def test_a_title_does_not_help_an_unknown_file(store, write, clock):
    with pytest.raises(UnknownKind, match="Columns: colour, size"):
        load(write("a.csv", "Sync report\ncolour,size\nred,3\n"), store, clock=clock)


@pytest.mark.parametrize(
    ("tail", "encoding"),
    [("é".encode(), "utf-8"), (b"\xc3b", "cp1252"), (b"\xc3", "cp1252"), (b"b", "utf-8")],
)
def test_a_letter_may_lie_across_two_pieces_of_a_file(write, tail, encoding):
    examined = inspect_file(write("a.csv", b"a" * ((1 << 20) - 1) + tail))
    assert (examined.encoding, examined.size) == (encoding, (1 << 20) - 1 + len(tail))
