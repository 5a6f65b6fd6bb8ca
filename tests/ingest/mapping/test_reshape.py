import io
import json
import zipfile
from datetime import UTC, datetime

import openpyxl
import pytest

from ingest import ArchiveUnsafe, SourceUnreadable, load, record_config_changes
from ingest.readers.usage_log import join_continuation_lines

USAGE = (
    "timestamp,session_id,user_id,http_method,endpoint,http_response_status,api_response_status,"
    "api_response_error_type,execution_id,api_resource,api_response_error_message,reference_id\n"
    "2026-11-21T06:59:40.120Z,SECRET1,41310,POST,/api/v26.2/query,200,SUCCESS,,e1,sync_tracking__v,,run\n"
    "2026-11-21T07:11:02.004Z,SECRET2,41377,PUT,/api/v26.2/vobjects/call2__v,200,FAILURE,INSUFFICIENT_ACCESS,"
    "e2,call2__v,User [41377] may not, really not,\n  edit this record,run\n"
    "2026-11-21T07:12:02.004Z,SECRET3,41377\n"
)
SYSTEM = {
    "id": "70455",
    "timestamp": "2026-11-21T13:55:40Z",
    "user_name": "admin.two@example.com",
    "action": "Edit",
    "item": "Permission Set : Field Rep",
    "field_name": "API: Metadata API",
    "old_value": "false",
    "new_value": "true",
    "event_description": "edited",
}
OBJECT = {
    **SYSTEM,
    "id": "88123",
    "item": "VMobile Object Configuration : VMOC-0042",
    "field_name": "where_clause__v",
    "old_value": "territory__v != null",
    "new_value": "null",
    "old_display_value": None,
    "new_display_value": None,
    "record_id": "V6C42",
    "object_name": "vmobile_object_configuration__v",
}


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_errors_of_a_usage_log_become_events_and_no_session_id_stays(store, tmp_path, clock):
    (report,) = load(zipped(tmp_path / "log.zip", {"90210-APIUsageLog.csv": USAGE}), store, clock=clock)
    assert (report.kind, report.rows_new, report.rows_rejected) == ("sync_error", 1, 1)
    assert report.notes == (
        "rows of the API usage log that are not about sync errors or configuration, skipped: 1",
    )
    row = store.execute("SELECT event_id, object, error_type, message, operation FROM sync_error").fetchone()
    assert row[:3] == ("api-e2", "call2__v", "INSUFFICIENT_ACCESS")
    assert row[3].startswith("User [41377] may not, really not,") and row[3].endswith("edit this record")
    everything = str(
        store.execute("SELECT * FROM sync_error").fetchall() + store.execute("FROM rejected_row").fetchall()
    )
    assert "SECRET" not in everything


def test_lines_that_begin_no_row_belong_to_the_one_before():
    assert list(join_continuation_lines(["2026-11-21T07:00,a\n", " more\n", "2026-11-21T08:00,b\n"])) == [
        "2026-11-21T07:00,a\n more\n",
        "2026-11-21T08:00,b\n",
    ]


@pytest.mark.parametrize("content", [b"PK\x03\x04 no zip at all", b"PK\x03\x04" + b"\0" * 500])
def test_an_invalid_zip_raises_source_unreadable(store, write, clock, content):
    for name in ("a.zip", "a.xlsx"):
        with pytest.raises(SourceUnreadable):
            load(write(name, content), store, clock=clock)


def test_a_zip_bomb_is_not_unpacked(store, tmp_path, clock):
    path = zipped(tmp_path / "bomb.zip", {"a.csv": "0" * (30 << 20)})
    with pytest.raises(ArchiveUnsafe, match="unpacks to"):
        load(path, store, clock=clock)


def test_a_zip_with_an_endless_first_line_raises_source_unreadable(store, tmp_path, clock):
    path = zipped(tmp_path / "endless.zip", {"a.csv": "0" * (1 << 20)})
    with pytest.raises(SourceUnreadable, match="not a header"):
        load(path, store, clock=clock)


def test_audit_trails_become_configuration_changes(store, write, clock):
    load(write("system.jsonl", json.dumps(SYSTEM)), store, clock=clock)
    load(
        write("object.json", json.dumps({"responseStatus": "SUCCESS", "data": [OBJECT]})), store, clock=clock
    )
    changes = store.execute("SELECT kind, target, before, after FROM config_change ORDER BY kind").fetchall()
    assert changes == [
        ("permission_set", "Field Rep", "false", "true"),
        ("vmoc", "VMobile Object Configuration : VMOC-0042", "territory__v != null", None),
    ]


def test_changes_of_records_that_configure_nothing_are_left_out_and_counted(store, write, clock):
    call = OBJECT | {"object_name": "call2__v"}
    (report,) = load(write("object.jsonl", json.dumps(call) + "\n" + json.dumps(OBJECT)), store, clock=clock)
    assert (report.rows_new, len(report.notes)) == (1, 1)


def test_a_failed_login_is_an_event_and_a_good_one_is_not(store, write, clock):
    header = "id,timestamp,user_name,full_name,source_ip,type,status,browser,platform\n"
    rows = (
        "1,2026-11-21T05:58:25Z,a,A,203.0.113.1,User Login,Success,,iOS\n"
        "2,2026-11-21T05:59:25Z,a,A,,User Login,Locked,,iOS\n"
    )
    load(write("login.csv", header + rows), store, clock=clock)
    assert store.execute("SELECT event_id, phase, operation, error_type FROM sync_error").fetchall() == [
        ("login-2", "connect", "sign_in", "Locked")
    ]


def test_cells_that_a_shape_does_not_read_are_kept_in_extra(store, write, clock):
    vmoc = {
        "id": "V6C1",
        "modified_date__v": "2026-11-02T08:00:00Z",
        "where_clause__v": "",
        "active__v": "false",
    }
    load(write("vmoc.jsonl", json.dumps(vmoc | {"enhanced__c": "yes"})), store, clock=clock)
    assert store.execute("SELECT active, extra FROM vmoc").fetchall() == [(False, '{"enhanced__c":"yes"}')]


def fields_of(as_of, *fields):
    rows = [{"object": "call2__v", "name": name, "as_of": as_of, "type": kind} for name, kind in fields]
    return "\n".join(map(json.dumps, rows))


def test_differences_between_two_snapshots_are_recorded(store, write, clock):
    load(
        write("1.jsonl", fields_of("2026-11-01", ("a__c", "String"), ("b__c", "Number"))), store, clock=clock
    )
    assert store.execute("SELECT count(*) FROM config_change").fetchone() == (0,)
    later = fields_of("2026-11-08", ("a__c", "Picklist"), ("b__c", "Number"), ("c__c", "String"))
    load(write("2.jsonl", later), store, clock=clock)
    changes = store.execute("SELECT target, before, changed_at FROM config_change ORDER BY target").fetchall()
    when = datetime(2026, 11, 8, tzinfo=UTC).replace(tzinfo=None)
    assert changes == [("call2__v.a__c", '{"type":"String"}', when), ("call2__v.c__c", None, when)]
    assert [report.rows_new for report in record_config_changes(store, clock=clock)] == [0]


def test_a_workbook_is_read_sheet_by_sheet(store, tmp_path, clock):
    book = openpyxl.Workbook()
    book.active.append(["id", "Sync Start Datetime", "Successful Sync", "Number of Uploads"])
    book.active.append(["V1", datetime(2026, 11, 2, 8, 30, tzinfo=UTC).replace(tzinfo=None), True, 3])
    book.active.append(["V2", "soon", None, 4.0])
    book.create_sheet("empty")
    book.save(tmp_path / "a.xlsx")
    report, *others = load(tmp_path / "a.xlsx", store, clock=clock)
    assert {each.outcome for each in others} == {"skipped"}
    assert (report.rows_new, report.rows_rejected) == (1, 1)
    row = store.execute(
        "SELECT sync_start_datetime__v::VARCHAR, successful_sync__v, number_of_uploads__v "
        "FROM sync_tracking__v"
    ).fetchone()
    assert row == ("2026-11-02 08:30:00", True, 3)


def test_random_bytes_never_crash_the_loader(store, write, clock):
    with pytest.raises(SourceUnreadable):
        load(write("a.parquet", b"PAR1" + io.BytesIO(b"x" * 100).read()), store, clock=clock)
