"""Nothing planted is left by any reader, container, mapping or way into the store."""

import io
import json
import logging
import tomllib
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib.resources import files

import pytest

from ingest import (
    IngestError,
    KeyUnusable,
    Pseudonymizer,
    append,
    export_lake,
    hide_secrets,
    list_rejected,
    load,
    open_store,
    retry_rejected,
)
from ingest.contracts.tables import CONTRACTS
from ingest.error_reader import read_errors
from ingest.mapping.mapping import BUILTIN_MAPPINGS
from ingest.mapping.reshape import SHAPES
from ingest.protection.names import heading_identity, identity_columns
from ingest.readers.log_lines import line_patterns
from ingest.readers.wrapper_files import builtin_wrappers
from sync_engine.telemetry import SyncError
from tests.ingest.protection.planted import (
    ADDRESS,
    CONTAINERS,
    FORMS,
    HEADER,
    MAIL,
    MESSAGE,
    NAME,
    NAMES,
    NOTE,
    SECRETS,
    SESSION,
    csv_text,
    error_rows,
    traces,
)

MASKED = pytest.mark.parametrize("masked", [False, True], ids=["secrets", "and names"])


@dataclass
class Load:
    """A load into a new store, and everything that it leaves behind."""

    folder: object
    masked: bool
    output: list = field(default_factory=list)

    def run(self, path, **options):
        self.store_path = self.folder / "store.duckdb"
        if self.masked:
            options["pseudonymizer"] = Pseudonymizer(b"key of a test")
        log, handler_text = io.StringIO(), io.StringIO()
        handler = logging.StreamHandler(handler_text)
        logging.getLogger().addHandler(handler)
        try:
            with (
                redirect_stdout(log),
                redirect_stderr(log),
                open_store(self.store_path, read_only=False) as store,
            ):
                store.execute("SET wal_autocheckpoint = '1TB'")
                try:
                    reports = load(path, store, **options)
                except IngestError:
                    reports = []
                    self.output.append(traceback.format_exc(chain=False).split("IngestError")[-1])
                self.output += [json.dumps([each.to_dict() | {"path": None} for each in reports])]
                self.output += [log.getvalue(), handler_text.getvalue()]
                self.reports = reports
                planted = SECRETS + (NAMES if self.masked else ())
                self.traces = traces(store, self.store_path, planted, *self.output)
        finally:
            logging.getLogger().removeHandler(handler)
        return self


@pytest.fixture
def loading(tmp_path, clock):
    def run(path, masked, **options):
        return Load(tmp_path, masked).run(path, clock=clock, **options)

    return run


@MASKED
@pytest.mark.parametrize("form", FORMS)
def test_no_reader_leaks(tmp_path, loading, form, masked):
    path = tmp_path / ("input.xlsx" if form == "workbook" else "input")
    FORMS[form](path)
    done = loading(path, masked)
    assert done.traces == []
    assert sum(report.rows_new for report in done.reports)
    assert sum(report.rows_rejected for report in done.reports)


def test_every_container_is_packed():
    text = files("ingest.readers").joinpath("formats.toml").read_text(encoding="utf-8")
    read = {each["name"] for each in tomllib.loads(text)["format"] if "reason" not in each}
    assert read <= {*CONTAINERS, "parquet"}


@MASKED
@pytest.mark.parametrize("container", CONTAINERS)
def test_no_container_leaks(tmp_path, loading, container, masked):
    plain = tmp_path / "plain.csv"
    plain.write_text(csv_text(HEADER, error_rows()))
    path = tmp_path / "packed"
    CONTAINERS[container](path, plain)
    done = loading(path, masked)
    assert done.traces == []
    assert sum(report.rows_new for report in done.reports)


def mapped_file(contract, names):
    """Return a CSV text for a table: planted text in each text column, names where a name belongs."""
    header, columns = [], []
    for column in contract.columns:
        name = (names.get(column.name) or (column.name,))[0]
        if name not in header:
            header.append(name)
            columns.append(column)
    rows = [
        [_cell(column, contract.table, number) for column in columns]
        + [SESSION, "Oda Ravensholt", MAIL, ADDRESS, NOTE, MESSAGE]
        for number in range(4)
    ]
    return csv_text([*header, "Session ID", "Reported By", "User Email", "Client IP", "Note", "Remark"], rows)


def _cell(column, table, number):
    match column.kind:
        case "time":
            return f"never {MESSAGE}" if number == 1 else f"2026-11-18T07:{number:02}:02Z"
        case "flag":
            return "true"
        case "integer" | "number":
            return "7"
    if column.name in CONTRACTS[table].key:
        return f"V5X00000000{number:04}"
    if column.name in identity_columns(table, {}):
        return (NAME, MAIL, "Oda Ravensholt", "oda.ravensholt")[number]
    return MESSAGE if number else NOTE


@MASKED
@pytest.mark.parametrize("mapping", BUILTIN_MAPPINGS, ids=lambda mapping: mapping.title)
def test_no_mapping_leaks(tmp_path, loading, mapping, masked):
    path = tmp_path / "input.csv"
    path.write_text(mapped_file(mapping.contract, mapping.aliases))
    assert loading(path, masked, as_kind=mapping.contract.table).traces == []


@MASKED
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_no_conversion_leaks(tmp_path, loading, shape, masked):
    values = {
        "timestamp": "2026-11-18T07:11:02Z", "modifieddatev": "2026-11-18T07:11:02Z", "apiresponsestatus": "FAILURE",
        "status": "Locked", "id": "V5X000000000001", "usernamesys": MAIL, "username": MAIL, "sourceip": ADDRESS,
        "fieldname": "name__v", "objectname": "user__sys", "item": "User : Oda Ravensholt", "recordid": "41377",
        "type": "User Login", "action": "Edit", "endpoint": "/api/v26.2/query",
    }  # fmt: skip
    headings = {
        "apiresponsestatus": "api_response_status",
        "usernamesys": "username__sys",
        "sourceip": "source_ip",
    }
    names = sorted(shape.required_columns)
    header = ["extra_id", *(headings.get(name, name) for name in names), "session_id", "full_name", "note"]
    row = ["x-1", *(values.get(name, MESSAGE) for name in names), SESSION, NAME, NOTE]
    broken = ["x-2", *(MESSAGE for _ in names), SESSION, NAME, NOTE]
    path = tmp_path / "input.csv"
    path.write_text(csv_text(header, [row, row, broken, row, row]))
    done = loading(path, masked)
    assert done.traces == []
    assert sum(report.rows_in for report in done.reports)


@MASKED
@pytest.mark.parametrize(
    "column", ["message", "occurred_at", "record_id", "device_id", "sync_id", "http_status"]
)
def test_a_customers_mapping_may_put_names_and_sessions_anywhere(tmp_path, loading, column, masked):
    mapping = tmp_path / "own.toml"
    columns = {"occurred_at": "Time", "message": "Error Message", "user_id": "User"}
    lines = [f'{name} = ["{heading}"]' for name, heading in columns.items() if name != column]
    for heading in ("Session ID", "Reported By"):
        mapping.write_text(
            f'title = "own"\nkind = "sync_error"\n[columns]\n{column} = ["{heading}"]\n' + "\n".join(lines)
        )
        path = tmp_path / f"{heading}.csv"
        path.write_text(csv_text(HEADER, error_rows()))
        assert loading(path, masked, mappings=[mapping]).traces == []


@MASKED
def test_no_text_log_leaks(tmp_path, loading, masked):
    lines = [
        "11-18 07:11:02.004  1234  1250 E SyncService: ",
        "2026-11-18 07:11:02,004 ERROR [main] com.example.Sync - ",
        "2026-11-18T07:11:02.004Z ERROR sync: ",
        "Nov 18 07:11:02 host sync[77]: error: ",
    ]
    for line in lines:
        path = tmp_path / "device.log"
        path.write_text(
            "".join(f"{line}{number} user={MAIL} {MESSAGE}\n\tat x.y.Z(A.java:7)\n" for number in range(9))
        )
        assert loading(path, masked).traces == []
    assert line_patterns()


def test_paths_of_users_in_wrappers_are_headings_of_users():
    paths = {
        path.text
        for wrapper in builtin_wrappers()
        for path in wrapper.columns.get("user_id", ())
        if "[" not in path.text
    }
    assert [path for path in sorted(paths) if heading_identity(path, "sync_error") is None] == []


def test_appended_records_do_not_leak(tmp_path, clock):
    record = SyncError(event_id="e1", occurred_at=clock(), message=MESSAGE, user_id="41300", payload=NOTE)
    path = tmp_path / "store.duckdb"
    with open_store(path, read_only=False) as store:
        reports = append(store, [record], source=f"run password={SESSION}", clock=clock)
        assert traces(store, path, SECRETS, str(reports)) == []


def test_rows_that_are_retried_do_not_leak(tmp_path, clock):
    path = tmp_path / "errors.csv"
    path.write_text(csv_text(["When", *HEADER[1:]], error_rows()))
    mapping = tmp_path / "own.toml"
    mapping.write_text(
        'title = "own"\nkind = "sync_error"\n[columns]\noccurred_at = ["When"]\nuser_id = ["User"]\n'
        'message = ["Error Message"]\n'
    )
    pseudonymizer = Pseudonymizer(b"key of a test")
    with open_store(tmp_path / "store.duckdb", read_only=False) as store:
        load(path, store, mappings=[mapping], pseudonymizer=pseudonymizer, clock=clock)
        before = store.execute("SELECT DISTINCT user_id FROM sync_error").fetchall()
        corrected = tmp_path / "corrected.toml"
        corrected.write_text(
            'title = "c"\nkind = "sync_error"\n[columns]\noccurred_at = ["x"]\nuser_id = ["User"]\n'
            'message = ["Error Message"]\n[constants]\noccurred_at = "2026-11-18T07:00:00Z"\n'
        )
        reports = retry_rejected(store, mappings=[corrected], clock=clock)
        assert sum(report.rows_new for report in reports)
        assert store.execute("SELECT DISTINCT user_id FROM sync_error").fetchall() == before
        rejected = list_rejected(store, include_resolved=True)
        export_lake(store, tmp_path / "lake")
        exported = b"".join(file.read_bytes() for file in (tmp_path / "lake").rglob("*") if file.is_file())
        assert not [each for each in (*SECRETS, *NAMES) if each.encode() in exported.lower()]
        assert traces(store, tmp_path / "store.duckdb", (*SECRETS, *NAMES), str(reports), str(rejected)) == []


def test_a_second_load_changes_nothing(tmp_path, clock):
    path = tmp_path / "errors.csv"
    path.write_text(csv_text(HEADER, error_rows(30)))
    for pseudonymizer in (None, Pseudonymizer(b"key of a test")):
        with open_store(tmp_path / f"{pseudonymizer is None}.duckdb", read_only=False) as store:
            first = load(path, store, pseudonymizer=pseudonymizer, clock=clock)
            second = load(path, store, pseudonymizer=pseudonymizer, clock=clock)
        assert sum(report.rows_new for report in first)
        assert [(report.rows_new, report.rows_updated) for report in second] == [(0, 0)] * len(second)


def test_equal_secrets_have_equal_fingerprints_in_one_store_only(tmp_path, clock):
    path = tmp_path / "errors.csv"
    path.write_text(
        f"Time,Error Message,Session ID\n2026-11-18T07:11:02Z,Upload failed at /x?sessionid={SESSION},{SESSION}\n"
    )
    fingerprints = set()
    for name in ("a", "b"):
        with open_store(tmp_path / f"{name}.duckdb", read_only=False) as store:
            load(path, store, clock=clock)
            ((message, extra),) = store.execute("SELECT message, extra FROM sync_error").fetchall()
            fingerprint = json.loads(extra)["Session ID"]
            assert message == f"Upload failed at /x?sessionid={fingerprint}"
            fingerprints.add(fingerprint)
    assert len(fingerprints) == 2


def test_a_damaged_key_is_an_error_with_a_next_step(tmp_path, clock):
    path = tmp_path / "errors.csv"
    path.write_text(csv_text(HEADER, error_rows()))
    (tmp_path / "store.key").write_text("not a key")
    with pytest.raises(KeyUnusable, match="cannot be used"):
        load(path, tmp_path / "store.duckdb", clock=clock)


def test_classified_errors_and_refusals_do_not_leak(tmp_path):
    path = tmp_path / "unknown.csv"
    path.write_text(f"password={SESSION},b,c\n1,2,3\n")
    reading = read_errors([path])
    events = list(reading)
    assert SESSION not in str([hide_secrets(str(event)) for event in events])
    assert SESSION not in "".join(str(part.error) for part in reading.parts)
