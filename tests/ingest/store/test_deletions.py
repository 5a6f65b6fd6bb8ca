"""Deletions in Vault: syncs are removed, configuration is marked as deleted, in any order of loads."""

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest import load, load_all, migrate
from tests.support.examples import examples

USERS = "id,modified_date__v,username__sys,name__v,status__v\n"
VMOCS = "id,modified_date__v,name__v,object__v,where_clause__v,status__v\n"
SETTINGS = "id,modified_date__v,name__v,value__v\n"
PICKLIST = "modified_date__v,object,object_field,picklist_value_name,picklist_value_label,status__v\n"
METADATA = "modified_date,extract,extract_label,column_name,column_label,type,length,related_extract\n"
DELETED = "id,deleted_date\n"
TABLES = ("sync_tracking__v", "sync_user", "vmoc", "veeva_setting", "picklist_value", "object_field")


def time(minute):
    return f"2026-11-22T06:{minute:02}:00.000Z"


SNAPSHOT = {
    "sync_tracking__v": lambda key, minute: (
        f"id,modified_date__v,sync_start_datetime__v,version__v\nV{key},{time(minute)},{time(0)},{minute}\n"
    ),
    "user__sys": lambda key, minute: USERS + f"{key},{time(minute)},u{key}@x.org,Rep {minute},active__v\n",
    "vmobile_object_configuration__v": lambda key, minute: (
        VMOCS + f"C{key},{time(minute)},A,account__v,rank = {minute},active__v\n"
    ),
    "veeva_settings__v": lambda key, minute: SETTINGS + f"S{key},{time(minute)},LIMIT,{minute}\n",
}
PREFIX = {
    "sync_tracking__v": "V",
    "user__sys": "",
    "vmobile_object_configuration__v": "C",
    "veeva_settings__v": "S",
}


def fresh():
    store = duckdb.connect(":memory:")
    store.execute("SET TimeZone = 'UTC'")
    migrate(store)
    return store


def content(store):
    tables = (*TABLES, "config_change")
    event = {
        table: store.execute(f"SELECT * EXCLUDE (source, batch_id) FROM {table} ORDER BY ALL").fetchall()
        for table in tables
    }
    return event | {
        "tombstone": store.execute("SELECT kind, id, deleted_at FROM tombstone ORDER BY ALL").fetchall()
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("deletions")


@pytest.fixture(scope="module")
def put(pack, place):
    """Pack one event and return the path of the archive."""
    return lambda number, event: pack(place / f"{number}.tar.gz", files_of(event))


def files_of(event):
    name, key, minute, gone = event
    return (
        {f"Object/{name}_deletes.csv": f"{DELETED}{PREFIX[name]}{key},{time(minute)}\n"}
        if gone
        else {f"Object/{name}.csv": SNAPSHOT[name](key, minute)}
    )


EVENT = st.tuples(st.sampled_from(sorted(SNAPSHOT)), st.sampled_from("12"), st.integers(1, 9), st.booleans())


@settings(max_examples=examples(25))
@given(events=st.lists(EVENT, max_size=7), order=st.randoms(use_true_random=False))
@example(  # a deletion of the very time of a snapshot, and one that turns out to be later
    events=[("user__sys", "1", 3, False), ("user__sys", "1", 3, True), ("user__sys", "1", 5, True)],
    order=None,
)
def test_order_and_repetition_do_not_change_deletions(put, events, order):
    archives = [put(number, event) for number, event in enumerate(events)]
    shuffled = [*archives, *archives[:2]]
    if order:
        order.shuffle(shuffled)
    else:
        shuffled.reverse()
    with fresh() as one, fresh() as other:
        for each in archives:
            load(each, one)
        for each in shuffled:
            load(each, other)
        assert content(other) == content(one)
        for table in TABLES:
            key = "id" if table == "sync_tracking__v" else "ALL"
            assert len(one.execute(f"SELECT {'id' if key == 'id' else '*'} FROM {table}").fetchall()) == len(
                one.execute(f"SELECT DISTINCT {'id' if key == 'id' else '*'} FROM {table}").fetchall()
            )


@pytest.mark.parametrize(
    ("name", "table", "gone"),
    [
        ("user__sys", "sync_user", "active"),
        ("vmobile_object_configuration__v", "vmoc", "active"),
        ("veeva_settings__v", "veeva_setting", "value IS NOT NULL"),
    ],
)
def test_deleted_configuration_is_kept_and_marked(store, put, clock, name, table, gone):
    events = [(name, "1", 2, False), (name, "2", 2, False), (name, "1", 5, True), (name, "3", 5, True)]
    reports = load_all([put(n, event) for n, event in enumerate(events)], store, clock=clock)
    assert not [note for report in reports for note in report.notes]
    there = f"SELECT {gone} FROM {table} WHERE {table.removeprefix('sync_').removeprefix('veeva_')}_id = $id"
    prefix = PREFIX[name]
    assert store.execute(f"{there} ORDER BY as_of", {"id": f"{prefix}1"}).fetchall() == [(True,), (False,)]
    assert store.execute(there, {"id": f"{prefix}2"}).fetchall() == [(True,)]
    assert store.execute(there, {"id": f"{prefix}3"}).fetchall() == []
    load(put(9, (name, "3", 1, False)), store, clock=clock)  # an old export comes late
    assert store.execute(f"{there} ORDER BY as_of", {"id": f"{prefix}3"}).fetchall() == [(True,), (False,)]


def test_a_record_restored_after_its_deletion_is_kept(store, put, clock):
    name = "user__sys"
    for n, event in enumerate([(name, "1", 2, False), (name, "1", 7, False), (name, "1", 5, True)]):
        load(put(n, event), store, clock=clock)
    assert store.execute("SELECT active FROM sync_user ORDER BY as_of").fetchall() == [
        (True,),
        (False,),
        (True,),
    ]
    assert store.execute("SELECT active FROM current_user_info").fetchall() == [(True,)]


def metadata(*fields, deleted=False):
    head = METADATA.replace("modified_date", "modified_date" if not deleted else "deleted_date", 1)
    when = time(9) if deleted else ""
    return head + "".join(
        f"{when},Object.{of},x,{name},x,String,50,\n" for of, name in (each.split(".") for each in fields)
    )


def test_a_removed_field_and_a_removed_object_are_marked(store, pack, place, clock):
    fields = ("call2__v.id", "call2__v.color__c", "old__c.id", "old__c.name__v")
    full = pack(place / "90210-20261122-0000-F.tar.gz", {"Metadata/metadata.csv": metadata(*fields)})
    later = pack(
        place / "90210-20261122-0615-N.tar.gz",
        {
            "Metadata/metadata_deletes.csv": metadata("call2__v.color__c", "old__c.id", deleted=True)
            + f"{time(9)},Document.document__v,x,title__v,x,String,9,\n"
        },
    )
    reports = load_all([later, full], store, clock=clock)
    assert "rows about extracts that are not objects, skipped: 1" in [n for r in reports for n in r.notes]
    newest = store.execute(
        "SELECT object, name, active, type FROM object_field "
        "QUALIFY row_number() OVER (PARTITION BY object, name ORDER BY as_of DESC) = 1 ORDER BY ALL"
    ).fetchall()
    assert newest == [
        ("call2__v", "color__c", False, "String"),
        ("call2__v", "id", True, "String"),
        ("old__c", "id", False, "String"),
        ("old__c", "name__v", False, "String"),
    ]
    changes = store.execute("SELECT target, before, after FROM config_change ORDER BY target").fetchall()
    assert changes == [
        (target, '{"active":true}', '{"active":false}')
        for target in ("call2__v.color__c", "old__c.id", "old__c.name__v")
    ]


def test_a_removed_picklist_value_keeps_its_label(store, pack, place, clock):
    value = "sync_tracking__v,sync_type__v,mini_sync__v"
    files = {"Picklist/picklist__sys.csv": f"{PICKLIST}{time(1)},{value},Mini Sync,active__v\n"}
    gone = {
        "Picklist/picklist__sys_deletes.csv": "object,object_field,picklist_value_name,deleted_date\n"
        f"{value},{time(5)}\n,,,\n"
    }
    load_all([pack(place / "p.tar.gz", files), pack(place / "q.tar.gz", gone)], store, clock=clock)
    assert store.execute("SELECT label, status FROM picklist_value ORDER BY as_of").fetchall() == [
        ("Mini Sync", "active__v"),
        ("Mini Sync", "deleted"),
    ]
    assert store.execute("SELECT len(reasons) FROM rejected_row").fetchall() == [(4,)]


def test_a_late_snapshot_replaces_the_changes_between_its_neighbors(store, put, clock):
    for n, minute in enumerate((1, 5, 3)):
        load(put(n, ("vmobile_object_configuration__v", "1", minute, False)), store, clock=clock)
    assert store.execute("SELECT before, after FROM config_change ORDER BY changed_at").fetchall() == [
        ('{"where_clause":"rank = 1"}', '{"where_clause":"rank = 3"}'),
        ('{"where_clause":"rank = 3"}', '{"where_clause":"rank = 5"}'),
    ]
