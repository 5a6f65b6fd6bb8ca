import json

import pytest

from ingest import (
    MappingInvalid,
    MissingColumns,
    UnknownKind,
    dismiss_rejected,
    list_rejected,
    load,
    retry_rejected,
)
from ingest.contracts.cell_values import CellFormat

REPORT = "id,Sync Start Datetime,Sync Duration\nV1,04/03/2024 07:58,98\nV2,05/03/2024 07:58,often\nV3\n"


def test_rejected_rows_are_listed_with_all_reasons(store, write, clock):
    load(write("report.csv", REPORT), store, clock=clock)
    listed = list_rejected(store)
    assert [row.row_number for row in listed] == [1, 2, 3]
    assert len(listed[1].reasons) == 2
    assert json.loads(listed[0].raw or "")["Sync Duration"] == "98"


def test_rejected_rows_can_be_retried_with_a_cell_format(store, write, clock):
    load(write("report.csv", REPORT), store, clock=clock)
    (report,) = retry_rejected(store, cell_format=CellFormat("UTC", "dmy"), clock=clock)
    assert (report.rows_in, report.rows_new, report.rows_rejected) == (2, 1, 1)
    assert [(row.row_number, row.reasons) for row in list_rejected(store)] == [
        (2, ("sync_duration__v: is not a number (often)",)),
        (3, ("row: has 1 cells where the header has 3",)),
    ]


def test_without_rejected_rows_there_is_nothing_to_retry(store, clock):
    assert retry_rejected(store, clock=clock) == []


BROKEN = (
    "id,Sync Start Datetime,Sync Duration\nV1,2024-03-04T07:58:00Z,98\nV2,2024-03-05T07:58:00Z,often\nV3\n"
)
MENDED = BROKEN.replace("often", "97")


@pytest.mark.parametrize("name", ["report.csv", "other.csv"])
def test_a_rejected_row_is_resolved_by_its_correction(store, write, clock, name):
    load(write("report.csv", BROKEN), store, clock=clock)
    load(write(name, MENDED), store, clock=clock)
    assert [row.row_number for row in list_rejected(store) if row.row_number == 2] == []
    (resolved,) = [row for row in list_rejected(store, include_resolved=True) if row.resolution]
    assert (resolved.row_number, resolved.resolution) == (2, f"corrected by {name}")
    assert resolved.reasons == ("sync_duration__v: is not a number (often)",)


def test_the_same_file_again_corrects_nothing(store, write, clock):
    twice = BROKEN + "V2,2024-03-05T07:58:00Z,97\n"
    for _ in range(2):
        load(write("report.csv", twice), store, clock=clock)
    assert [row.row_number for row in list_rejected(store)] == [2, 3]


def test_the_old_file_does_not_reject_a_corrected_row_again(store, write, clock):
    for content in (BROKEN, MENDED, BROKEN):
        load(write("report.csv", content), store, clock=clock)
    assert [row.row_number for row in list_rejected(store)] == [3]


def test_rows_in_bulk_know_their_ids_too(store, write, clock):
    fine = "".join(f"W{n},2024-03-04T07:58:00Z,98\n" for n in range(50_000))
    load(write("report.csv", BROKEN.removesuffix("V3\n") + fine), store, clock=clock)
    assert [row.row_number for row in list_rejected(store)] == [2]
    load(write("one.csv", MENDED.removesuffix("V3\n")), store, clock=clock)
    assert list_rejected(store) == []


def test_dismissed_rows_are_kept_and_marked(store, write, clock):
    load(write("report.csv", BROKEN), store, clock=clock)
    load(write("other.csv", BROKEN), store, clock=clock)
    assert dismiss_rejected(store, "nobody.csv", clock=clock) == 0
    assert dismiss_rejected(store, "report.csv", clock=clock) == 2
    assert {row.source for row in list_rejected(store)} == {"other.csv"}
    assert {row.resolution for row in list_rejected(store, source="report.csv", include_resolved=True)} == {
        f"dismissed {clock():%Y-%m-%d %H:%M} UTC"
    }
    (retried,) = retry_rejected(store, clock=clock)
    assert (retried.source, retried.rows_in) == ("other.csv", 1)
    assert len(list_rejected(store, source="report.csv", include_resolved=True)) == 2


DESK = "Ticket,When it happened,Who,Said\nT1,2026-11-20T10:00:00Z,u1,No\n"
MAPPING = """
kind = "sync_error"
[columns]
event_id = ["Ticket"]
occurred_at = ["When it happened"]
message = ["Said"]
"""


def test_columns_without_a_place_are_listed(store, write, clock):
    (report,) = load(write("desk.csv", DESK), store, mappings=[write("desk.toml", MAPPING)], clock=clock)
    assert report.notes == (
        "columns without a place in sync_error, kept in the column extra: Who",
        "no column names the users: user_id is empty, and users are not counted",
    )
    assert store.execute("SELECT extra FROM sync_error").fetchall() == [('{"Who":"u1"}',)]


def test_a_mapped_column_that_the_file_lacks_is_noted(store, write, clock):
    mapping = write("desk.toml", MAPPING + 'user_id = ["Whoo", "Rep"]\n')
    (report,) = load(write("desk.csv", DESK), store, mappings=[mapping], clock=clock)
    assert "the file lacks columns that the mapping names: Whoo or Rep (for user_id)" in report.notes


def test_a_mapping_that_does_not_fit_lists_the_accepted_names(store, write, clock):
    mapping = write("desk.toml", MAPPING.replace("When it happened", "When it hapened"))
    with pytest.raises(MissingColumns) as lacking:
        load(write("desk.csv", DESK), store, mappings=[mapping], clock=clock)
    message = str(lacking.value)
    assert "the mapping 'desk' finds no column for occurred_at (accepted names: When it hapened)" in message
    assert "Ticket, When it happened, Who, Said" in message


def test_an_unused_mapping_is_noted(store, write, clock):
    mapping = write("desk.toml", MAPPING.replace("When it happened", "When"))
    report = load(
        write("list.csv", "Date,Error\n2026-11-20T10:00:00Z,No permission\n"),
        store,
        mappings=[mapping],
        clock=clock,
    )
    assert "mapping 'desk' was not used: no column for occurred_at" in report[0].notes[0]


def test_unknown_columns_are_listed_with_the_closest_table(store, write, clock):
    names = ["Sync Duration", "Successful Sync", *(f"Column {n}" for n in range(45))]
    with pytest.raises(UnknownKind) as unknown:
        load(write("report.csv", ",".join(names) + "\n" + "," * 46 + "\n"), store, clock=clock)
    message = str(unknown.value)
    assert "and 7 more" in message
    assert "sync tracking records (sync_tracking__v)" in message
    assert "it lacks: id (accepted names: id, " in message
    assert "for: 'Sync Duration' is sync_duration__v" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "nothing"', "kind 'nothing' is not one of"),
        ('title = "x"', "kind is missing"),
        ('kind = "sync_error"\ncolums = 1', "unknown key colums"),
        ('kind = "sync_error"\n[columns]\nwhat = ["x"]', "its columns are event_id"),
        ('kind = "sync_error"\n[columns]\nmessage = "x"', "columns.message: Input should be a valid list"),
        ("kind", "is not valid TOML"),
    ],
)
def test_an_invalid_mapping_has_a_readable_reason(store, write, clock, text, message):
    with pytest.raises(MappingInvalid) as invalid:
        load(write("desk.csv", DESK), store, mappings=[write("desk.toml", text)], clock=clock)
    assert message in str(invalid.value)
    assert "pydantic" not in str(invalid.value)


def test_a_missing_mapping_raises_mapping_invalid(store, write, clock, tmp_path):
    with pytest.raises(MappingInvalid, match="cannot be read: No such file"):
        load(write("desk.csv", DESK), store, mappings=[tmp_path / "none.toml"], clock=clock)
