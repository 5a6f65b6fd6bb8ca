import json
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings, strategies

from ingest import AmbiguousHeadings, MappingInvalid, MissingColumns, UnknownKind, load
from ingest.contracts.tables import CONTRACTS
from ingest.mapping.kinds import kinds
from ingest.mapping.recognition import recognize
from ingest.readers.rows import RawRow, RowSource
from tests.support.examples import examples

ERRORS = (
    "Date/Time,User,Device,Error Message\n2026-10-05T08:00:00Z,u1,iPad 4,Upload refused: no Edit permission\n"
)


def notes_of(reports):
    return [note for report in reports for note in report.notes]


def test_a_customers_mapping_wins_over_a_column_that_bears_our_name(store, write, clock):
    mapping = write("m.toml", 'kind="sync_error"\n[columns]\nuser_id=["agent"]\nmessage=["reply"]\n')
    content = "occurred_at,user_id,agent,message,reply\n2026-10-05T08:00Z,12,Novak,Step failed,ENTITY_IS_LOCKED: no\n"
    reports = load(write("a.csv", content), store, mappings=[mapping], clock=clock)
    assert store.execute("SELECT user_id, message FROM sync_error").fetchall() == [
        ("Novak", "ENTITY_IS_LOCKED: no")
    ]
    assert "the mapping reads message from 'reply', not from the column 'message'" in notes_of(reports)


def test_a_heading_that_a_mapping_claims_fills_no_other_column(store, write, clock):
    mapping = write(
        "m.toml", 'kind="sync_error"\n[columns]\nmessage=["error_type"]\n[constants]\nplatform="iPad"\n'
    )
    content = "occurred_at,error_type,platform\n2026-10-05T08:00Z,Record is locked,7\n"
    load(write("a.csv", content), store, mappings=[mapping], clock=clock)
    row = store.execute("SELECT message, error_type, platform FROM sync_error").fetchall()
    assert row == [("Record is locked", None, "iPad")]


def test_a_mapping_in_japanese_fills_each_column_from_its_own_heading(store, write, clock):
    mapping = write(
        "m.toml",
        'kind="sync_error"\n[columns]\noccurred_at=["受付日時"]\nuser_id=["申告者"]\nmessage=["画面の文言"]\n',
    )
    content = "受付日時,申告者,画面の文言\n2026-10-05 08:00,佐藤,レコードがロックされています\n"
    load(write("a.csv", content), store, mappings=[mapping], clock=clock)
    assert store.execute("SELECT user_id, message FROM sync_error").fetchall() == [
        ("佐藤", "レコードがロックされています")
    ]


def test_two_headings_that_are_one_name_are_an_error_with_both(store, write, clock):
    path = write("a.csv", "occurred_at,Error_Message,error message\n2026-10-05T08:00Z,Locked,No permission\n")
    with pytest.raises(AmbiguousHeadings, match="'Error_Message' and 'error message' are one name"):
        load(path, store, clock=clock)
    mapping = write("m.toml", 'kind="sync_error"\n[columns]\nmessage=["error message"]\n')
    load(path, store, mappings=[mapping], clock=clock)
    assert store.execute("SELECT message FROM sync_error").fetchall() == [("No permission",)]


def test_two_names_of_a_mapping_that_are_one_name_are_an_error_with_both(store, write, clock):
    mapping = write("m.toml", 'kind="sync_error"\n[columns]\nmessage=["Text"]\nerror_type=["TEXT:"]\n')
    with pytest.raises(
        MappingInvalid, match=r"'Text' \(for message\) and 'TEXT:' \(for error_type\) are one name"
    ):
        load(write("a.csv", ERRORS), store, mappings=[mapping], clock=clock)
    mapping = write("n.toml", 'kind="sync_error"\n[columns]\nmessage=["—"]\n')
    with pytest.raises(MappingInvalid, match="no letter or digit"):
        load(write("a.csv", ERRORS), store, mappings=[mapping], clock=clock)


def test_rows_below_the_level_of_an_error_are_skipped_and_counted(store, write, clock):
    content = "occurred_at,device_id,Level,message\n" + "".join(
        f"2026-10-05T08:0{n}:00Z,d1,{level},sync step {n} {text}\n"
        for n, (level, text) in enumerate(
            [
                ("INFO", "done"),
                ("Error", "failed: timeout"),
                ("warn", "slow"),
                ("Info", "done"),
                ("FATAL", "aborted"),
            ]
        )
    )
    reports = load(write("a.csv", content), store, clock=clock)
    assert store.execute("SELECT count(*) FROM sync_error").fetchone() == (2,)
    assert any(note.startswith("rows that are no errors, skipped: 3") for note in notes_of(reports))


def test_a_mapping_keeps_and_skips_rows_by_their_values(store, write, clock):
    mapping = write(
        "m.toml",
        'kind="sync_error"\n[columns]\nmessage=["What"]\n[keep]\nArea=["Sync", "upload"]\n[skip]\nState=["Closed"]\n',
    )
    content = "occurred_at,What,Area,State\n" + "".join(
        f"2026-10-05T08:00Z,{what},{area},{state}\n"
        for what, area, state in [("a", "sync ", "Open"), ("b", "Print", "Open"), ("c", "UPLOAD", "closed")]
    )
    reports = load(write("a.csv", content), store, mappings=[mapping], clock=clock)
    assert store.execute("SELECT message FROM sync_error").fetchall() == [("a",)]
    assert any(note.startswith("rows that are no errors, skipped: 2") for note in notes_of(reports))


LIST = "User,Error\nu1,No Edit permission on object call2__v\nu2,UNABLE_TO_LOCK_ROW: record is locked\n"


def times_of(store):
    rows = store.execute("SELECT occurred_at::VARCHAR, extra FROM sync_error").fetchall()
    return {(when, json.loads(extra)["time_source"]) for when, extra in rows}


def test_rows_without_a_time_get_the_time_of_their_file_name(store, write, clock):
    reports = load(write("desk 2026-10-05 1430.csv", LIST), store, clock=clock)
    assert times_of(store) == {("2026-10-05 14:30:00", "the file's name")}
    assert any("all are dated 2026-10-05 14:30 UTC by the file's name" in note for note in notes_of(reports))


def test_at_wins_over_the_file_and_a_file_saved_again_changes_no_event(store, write, clock):
    at = datetime(2026, 10, 1, 9, tzinfo=UTC)
    load(write("desk.csv", LIST), store, at=at, clock=clock)
    assert times_of(store) == {("2026-10-01 09:00:00", "--at")}
    ids = []
    for name, saved in (("0.csv", 1_790_000_000), ("1.csv", 1_790_000_001)):
        path = write(name, LIST)
        os.utime(path, (saved, saved))
        ids.append({row[0] for row in load_into(store, path, clock)})
    assert ids[0] == ids[1]
    assert len(ids[1]) == 2


def load_into(store, path, clock):
    load(path, store, clock=clock)
    return store.execute("SELECT event_id FROM sync_error WHERE source LIKE '%' || ?", [path.name]).fetchall()


def test_the_time_column_of_a_mapping_is_never_replaced_by_the_time_of_the_file(store, write, clock):
    mapping = write("m.toml", 'kind="sync_error"\n[columns]\noccurred_at=["When"]\nmessage=["Error"]\n')
    path = write("2026-10-05.csv", "Whn,Error\n2026-10-01T08:00Z,Record locked\n")
    with pytest.raises(MissingColumns, match=r"occurred_at \(accepted names: When\)"):
        load(path, store, mappings=[mapping], as_kind="sync_error", clock=clock)


FOREIGN = {
    "chat": "date,user,message,status\n2026-10-05,ana,hello there,sent\n2026-10-05,bo,see you,read\n",
    "sales": "Date,Customer,Amount,Status,Description\n2026-10-05,Acme,12.50,paid,Two chairs\n",
    "weather": "time,station,temperature,humidity,message\n2026-10-05T08:00Z,N1,12.5,81,light rain\n",
    "tests": "time,test,suite,status,duration,error message\n2026-10-05,t1,unit,failed,0.2,AssertionError: 1 != 2\n",
    "audit": "Timestamp,User,Field,Old Value,New Value,Event Description\n2026-10-05T08:00Z,a,x,1,2,Changed\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_table_about_something_else_is_not_loaded(store, write, clock, name):
    with pytest.raises(UnknownKind):
        load(write("a.csv", FOREIGN[name]), store, clock=clock)


SIGNED = [(table, names) for table, kind in kinds().items() for names in kind.signature]


@pytest.mark.parametrize(("table", "names"), SIGNED, ids=lambda each: each if isinstance(each, str) else None)
@given(data=strategies.data())
@settings(max_examples=examples(25))
def test_our_own_column_names_prove_a_table_whatever_its_values_are(table, names, data):
    kind = kinds()[table]
    needed = {names[0] for names in (need.one_of for need in kind.needs)} | CONTRACTS[table].required
    header = data.draw(strategies.permutations(sorted({*names, *needed, "shelf"})))
    row = {name: data.draw(strategies.text(max_size=12), label=name) for name in header}
    source = RowSource("a.csv", list(header), iter([RawRow(1, row)]))
    assert recognize(source).mapping.contract.table == table


def test_one_name_that_other_tables_have_too_proves_nothing(store, write, clock):
    with pytest.raises(UnknownKind):
        load(write("a.csv", "event_id,level,message\n4624,Information,Door opened\n"), store, clock=clock)


def test_names_that_the_reader_chose_prove_nothing(store, write, clock):
    member = {
        "reporter": {"displayName": "Ola"},
        "created": "2026-10-05T08:00:00Z",
        "summary": "Paint the door",
    }
    document = {"total": 1, "issues": [{"key": "DIY-7", "fields": member}]}
    with pytest.raises(UnknownKind):
        load(write("a.json", json.dumps(document)), store, clock=clock)


def test_an_error_without_a_message_code_or_type_is_refused(store, write, clock):
    with pytest.raises(MissingColumns, match="an error needs a message, a code or a type"):
        load(write("a.csv", "time,user\n2026-10-05,a\n"), store, as_kind="sync_error", clock=clock)
