"""Ids of Salesforce with 15 and 18 characters are one id: on load, in stored rows and in questions."""

import random
import string

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import analysis
from ingest import canonical_id, load, migrate
from ingest.store.open import MIGRATIONS
from tests.support.examples import examples

LAST = "0005_one_spelling_of_ids.sql"
SHORT_IDS = st.text(string.ascii_letters + string.digits, min_size=15, max_size=15)


def long_form(short):
    """Return the form with 18 characters, by the algorithm that Salesforce publishes."""
    checks = ""
    for start in (0, 5, 10):
        flags = sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper())
        checks += (string.ascii_uppercase + "012345")[flags]
    return short + checks


@pytest.fixture(scope="module")
def canonical():
    with duckdb.connect(":memory:") as connection:
        migrate(connection)
        yield lambda text: connection.execute("SELECT canonical_id($t)", {"t": text}).fetchone()[0]


def test_the_long_form_of_a_published_example(canonical):
    assert long_form("001A000000CtAkp") == "001A000000CtAkpIAF"
    assert canonical("001A000000CtAkpIAF") == "001A000000CtAkp"


@settings(max_examples=examples(200), deadline=None)
@given(SHORT_IDS)
def test_both_forms_are_one_id_and_the_case_is_kept(canonical, short):
    assert canonical(long_form(short)) == canonical(short) == short


@settings(max_examples=examples(200), deadline=None)
@given(SHORT_IDS, st.text(string.ascii_uppercase + string.digits, min_size=3, max_size=3))
def test_an_id_with_a_wrong_check_is_left_as_it_is(canonical, short, checks):
    text = short + checks
    assert canonical(text) == (short if text == long_form(short) else text)


@pytest.mark.parametrize("text", ["", "V5X000000000123", "41000", "AbC", "ä" * 18, "0" * 18, "x" * 40])
def test_other_ids_are_left_as_they_are(canonical, text):
    assert canonical(text) == text


SYNC_HEADER = (
    "Id,OwnerId,Sync_Type_vod__c,Sync_Start_Datetime_vod__c,Successful_Sync_vod__c,LastModifiedDate\n"
)


def sync_line(sync, owner):
    return f"{sync},{owner},Incremental,2026-10-02T06:00:00Z,1,2026-10-02T06:09:00Z\n"


def test_an_extract_and_a_report_of_one_week_are_the_same_syncs(store, write, clock):
    syncs = [f"a2C7x00000Qrs{n:02}" for n in range(8)]
    owners = ["0057x00000LmNoP", "0057x00000lmnop"]
    rows = [(sync, owners[n % 2]) for n, sync in enumerate(syncs)]
    extract = "".join(sync_line(long_form(sync), long_form(owner)) for sync, owner in rows)
    report = "".join(sync_line(sync, owner) for sync, owner in rows[:5])
    (first,) = load(write("extract.csv", SYNC_HEADER + extract), store, clock=clock)
    (second,) = load(write("report.csv", SYNC_HEADER + report), store, clock=clock)
    assert (first.rows_new, second.rows_new, second.rows_unchanged) == (8, 0, 5)
    assert store.execute("SELECT DISTINCT created_by__v FROM sync_tracking__v ORDER BY 1").fetchall() == [
        ("0057x00000LmNoP",),
        ("0057x00000lmnop",),
    ]
    assert any("differ only by case" in note for note in first.notes)


def test_stray_characters_in_ids_are_removed_and_counted(store, write, clock):
    text = (
        "event_id,occurred_at,user_id,device_id,message\n"
        "E1,2026-10-02T06:00:00Z, 51200 ,\u200ePad-7,late\n"
        "E2,2026-10-02T06:01:00Z,51200,Pad-7\u00a0,late\n"
        "E3,2026-10-02T06:02:00Z,n/a,-,late\n"
    )
    (report,) = load(write("list.csv", text), store, clock=clock)
    rows = store.execute("SELECT user_id, device_id FROM sync_error ORDER BY event_id").fetchall()
    assert rows == [("51200", "Pad-7"), ("51200", "Pad-7"), (None, None)]
    assert [note for note in report.notes if "removed" in note] == [
        "ids with outer blanks or invisible characters, which were removed: user_id (1), device_id (2)"
    ]


def test_a_deletion_in_the_other_form_deletes_the_sync(store, write, pack, tmp_path, clock):
    sync = "a2C7x00000Qrs01"
    load(write("extract.csv", SYNC_HEADER + sync_line(sync, "51200")), store, clock=clock)
    gone = f"id,deleted_date\n{long_form(sync)},2026-10-03T00:00:00Z\n"
    archive = pack(tmp_path / "100001-20261003-0000-N.tar.gz", {"Object/sync_tracking__v_deletes.csv": gone})
    load(archive, store, clock=clock)
    assert store.execute("SELECT count(*) FROM sync_tracking__v").fetchone() == (0,)


def old_store():
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE TABLE migration (name VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL)")
    for name in sorted(MIGRATIONS):
        if name < LAST:
            connection.execute(MIGRATIONS[name])
            connection.execute("INSERT INTO migration VALUES (?, TIMESTAMP '2026-11-01')", [name])
    return connection


def test_the_migration_merges_rows_of_both_forms_and_can_run_again():
    short = "a2C7x00000QRS01"
    with old_store() as store:
        for sync, modified, version in (
            (short, "2026-10-02", "old"),
            (long_form(short), "2026-10-03", "new"),
            ("V5X000000000001", "2026-10-02", "vault"),
        ):
            store.execute(
                "INSERT INTO sync_tracking__v (id, created_by__v, modified_date__v, sync_start_datetime__v, "
                "version__v, source, batch_id) VALUES (?, ?, ?, '2026-10-01', ?, 's', 'b')",
                [sync, long_form("0057x00000LmNoP"), modified, version],
            )
        for event, message in ((long_form(short), None), (short, "text"), ("derived-1", "x")):
            store.execute(
                "INSERT INTO sync_error (event_id, occurred_at, message, source, batch_id) "
                "VALUES (?, '2026-10-01', ?, 's', 'b')",
                [event, message],
            )
        migrate(store)
        query = "SELECT id, created_by__v, version__v FROM sync_tracking__v ORDER BY id"
        expected = [("V5X000000000001", "0057x00000LmNoP", "vault"), (short, "0057x00000LmNoP", "new")]
        assert store.execute(query).fetchall() == expected
        assert store.execute("SELECT event_id, message FROM sync_error ORDER BY 1").fetchall() == [
            (short, "text"),
            ("derived-1", "x"),
        ]
        statements = MIGRATIONS[LAST].replace("CREATE MACRO", "CREATE OR REPLACE MACRO")
        store.execute(statements)
        assert store.execute(query).fetchall() == expected


def test_every_random_id_keeps_its_identity(canonical):
    random.seed(7)
    letters = string.ascii_letters + string.digits
    ids = {"".join(random.choices(letters, k=15)) for _ in range(300)}
    assert {canonical(long_form(each)) for each in ids} == ids


def test_a_question_may_use_either_form(store, write, clock):
    owner = "0057x00000LmNoP"
    text = f"event_id,occurred_at,user_id,message\nE1,2026-10-02T06:00:00Z,{owner},late\n"
    load(write("list.csv", text), store, clock=clock)
    assert canonical_id(store, f" {long_form(owner)}\u200b") == owner
    devices = analysis.list_devices(store, user_id=canonical_id(store, long_form(owner)))
    assert list(devices["user_id"]) == [owner]
