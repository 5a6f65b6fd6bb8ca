"""Whatever can be loaded can be classified, with the same errors, and the other way round."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest import IngestError, NotErrors, load, migrate, read_errors
from tests.ingest.readers.test_report_lines import ABOVE, BELOW, HEADER, ROWS, as_csv, as_workbook
from tests.support.examples import examples

READERS = Path(__file__).parent / "readers"
FILES = [
    *sorted((READERS / "documents").glob("*.json")),
    *sorted((READERS / "logs").glob("*.log")),
    *sorted((Path(__file__).parents[1] / "data").glob("sync_errors*")),
]
PLAIN = {
    "vault_page",
    "vault_users",
    "vault_refusal",
    "salesforce_page",
    "odata_page",
    "json_api_page",
    "servicenow",
    "jira",
}
"""Documents that are no errors for certain: their own tests state what they are."""


def content_of(path):
    if path.suffix == ".json" and path.parent.name == "documents":
        return json.dumps(json.loads(path.read_text("utf-8"))["document"]).encode()
    return path.read_bytes()


def loaded_rows(path):
    """Return how many errors a load reads from a file, also those that it rejects; None if it refuses the file."""
    with duckdb.connect(":memory:") as store:
        store.execute("SET TimeZone = 'UTC'")
        migrate(store)
        try:
            reports = load(path, store)
        except IngestError as error:
            assert error.next_step
            return None
        return sum(report.rows_in for report in reports)


def read(path, **options):
    reading = read_errors([path], **options)
    return list(reading), reading.parts


def zipped(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem not in PLAIN], ids=lambda path: path.name
)
def test_a_load_reads_as_many_errors_as_classify(path, tmp_path):
    file = tmp_path / path.name
    file.write_bytes(content_of(path))
    events, (part,) = read(file)
    assert part.error is None
    assert events
    assert loaded_rows(file) == part.errors == len(events)


@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda content: zipped("a.bin", content)], ids=["gzip", "zip"]
)
@pytest.mark.parametrize("name", ["documents/splunk.json", "logs/log4j.log"])
def test_a_packed_file_has_the_same_errors(pack, name, tmp_path):
    content = content_of(READERS / name)
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed").write_bytes(pack(content))
    plain, packed = read(tmp_path / "plain")[0], read(tmp_path / "packed")[0]
    assert [event.cells for event in plain] == [event.cells for event in packed]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
def test_text_is_decoded(encoding, tmp_path):
    (tmp_path / "a.csv").write_bytes(
        "message;user\nZeitüberschreitung beim Hochladen;ü\nGerät gesperrt;ö\n".encode(encoding)
    )
    assert [event.cells["message"] for event in read(tmp_path / "a.csv")[0]] == [
        "Zeitüberschreitung beim Hochladen",
        "Gerät gesperrt",
    ]


def test_an_event_names_its_source_and_row(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"message": "Record is locked"}\nbroken\n', "utf-8")
    events, (part,) = read(tmp_path / "a.jsonl")
    assert [(event.source, event.row, bool(event.problem)) for event in events] == [
        ("a.jsonl", 1, False),
        ("a.jsonl", 2, True),
    ]
    assert part.errors == 2


def test_a_mapping_names_the_columns_and_the_meaning_of_values(tmp_path):
    (tmp_path / "a.csv").write_text("Was;Wer\nE17;ida\n", "utf-8")
    mapping = ['kind = "sync_error"', "[columns]", 'error_type = ["Was"]', 'user_id = ["Wer"]']
    mapping += ["[values.error_type]", 'E17 = "INVALID_DATA"']
    (tmp_path / "a.toml").write_text("\n".join(mapping), "utf-8")
    ((event,), _) = read(tmp_path / "a.csv", mappings=[tmp_path / "a.toml"])
    assert dict(event.cells) == {"error_type": "INVALID_DATA", "user_id": "ida"}


def test_a_refused_call_is_classified_but_not_loaded(tmp_path):
    content = content_of(READERS / "documents" / "vault_refusal.json")
    (tmp_path / "a.json").write_bytes(content)
    assert len(read(tmp_path / "a.json")[0]) == 1
    with duckdb.connect(":memory:") as store:
        migrate(store)
        with pytest.raises(NotErrors, match="refused the call"):
            load(tmp_path / "a.json", store)


def test_a_table_of_syncs_has_no_messages(data):
    events, (part,) = read(data / "sync_tracking__v_export.csv")
    assert events == []
    assert isinstance(part.error, NotErrors)
    assert "synclens load" in part.error.next_step


def test_a_document_without_errors_has_none(tmp_path):
    (tmp_path / "a.json").write_text(
        json.dumps(
            {"responseStatus": "SUCCESS", "data": [{"responseStatus": "SUCCESS", "data": {"id": "V1"}}]}
        ),
        "utf-8",
    )
    events, (part,) = read(tmp_path / "a.json")
    assert events == []
    assert part.error is None
    assert "records that succeeded, skipped: 1" in part.notes


def test_one_unreadable_file_does_not_hide_the_others(tmp_path):
    (tmp_path / "a.json").write_bytes(content_of(READERS / "documents" / "splunk.json"))
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7")
    events, parts = read(tmp_path)
    assert len(events) == 1
    assert [part.error is None for part in parts] == [True, False]


def test_records_in_the_cells_of_a_table_are_opened(tmp_path):
    raw = json.dumps({"level": "error", "message": "Visit is locked", "user": "u1"}).replace('"', '""')
    (tmp_path / "search.csv").write_text(
        f'"_time","_raw"\n"2026-03-02T08:00:00Z","{raw}"\n"2026-03-02T08:00:01Z","2026-03-02 08:00:01 INFO done"\n',
        "utf-8",
    )
    ((event,), _) = read(tmp_path / "search.csv")
    assert (event.cells["message"], event.cells["user_id"]) == ("Visit is locked", "u1")


def test_a_log_with_aligned_columns_is_a_log(tmp_path):
    path = tmp_path / "extract.txt"
    path.write_bytes((READERS / "logs" / "os_log.log").read_bytes())
    events, (part,) = read(path)
    assert [event.cells["message"] for event in events] == ["disk I/O error"]
    assert "read as a log: Apple unified log" in part.notes


@given(
    above=st.lists(st.sampled_from(ABOVE), unique_by=tuple, max_size=4),
    below=st.sampled_from([[], BELOW]),
    empty_columns=st.integers(0, 3),
    form=st.sampled_from(["csv", "xlsx"]),
)
@settings(max_examples=examples(25), deadline=None)
def test_a_table_below_titles_has_the_errors_that_a_load_stores(
    tmp_path_factory, above, below, empty_columns, form
):
    rows = [[""] * empty_columns + row if row else [] for row in [*above, HEADER, *ROWS, *below]]
    path = tmp_path_factory.mktemp("titles") / f"a.{form}"
    if form == "xlsx":
        as_workbook(path, {"Week 49": rows})
    else:
        path.write_text(as_csv(rows), encoding="utf-8")
    events, (part,) = read(path)
    assert part.error is None
    assert [event.cells["message"] for event in events] == [row[-1] for row in ROWS]
    assert loaded_rows(path) == part.errors


def test_a_table_below_a_title_that_is_none_of_errors_is_refused(tmp_path):
    as_workbook(
        tmp_path / "a.xlsx", {"Key": [["Colors of week 49"], ["", "Color", "Meaning"], ["", "red", "late"]]}
    )
    events, (part,) = read(tmp_path / "a.xlsx")
    assert events == []
    assert "Color, Meaning" in str(part.error)
    assert loaded_rows(tmp_path / "a.xlsx") is None
