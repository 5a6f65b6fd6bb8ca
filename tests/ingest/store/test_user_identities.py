import json

from ingest import load

USERS = "\n".join(
    json.dumps(
        {"user_id": user_id, "as_of": "2026-10-01T00:00:00Z", "name": name, "email": email, "territory": "T1"}
    )
    for user_id, name, email in [
        ("U1", "Ana Sol", "ana@example.com"),
        ("U2", "Bo Lind", "bo@example.com"),
        ("U3", "Bo Lind", "bo.two@example.com"),
    ]
)
ERRORS = "occurred_at,device_id,user_id,message\n" + "".join(
    f"2026-10-05T08:0{number}:00Z,d1,{user},Record is locked\n"
    for number, user in enumerate(["ana@example.com", " ANA SOL", "Bo Lind", "U2", "nobody@example.com"])
)
JOINED = [("U1",), ("U1",), ("Bo Lind",), ("U2",), ("nobody@example.com",)]


def users_of(store):
    return store.execute("SELECT user_id FROM sync_error ORDER BY occurred_at").fetchall()


def test_a_name_that_one_user_has_becomes_the_users_id_in_any_order(store, write, clock):
    load(write("errors.csv", ERRORS), store, clock=clock)
    assert users_of(store) != JOINED
    reports = load(write("users.jsonl", USERS), store, clock=clock)
    assert users_of(store) == JOINED
    assert any("joined to the user: 2" in note for report in reports for note in report.notes)
    (again,) = load(write("errors.csv", ERRORS), store, clock=clock)
    assert (again.rows_unchanged, again.rows_updated) == (5, 0)
    assert users_of(store) == JOINED


def test_users_loaded_first_join_the_rows_that_follow(store, write, clock):
    load(write("users.jsonl", USERS), store, clock=clock)
    load(write("errors.csv", ERRORS), store, clock=clock)
    assert users_of(store) == JOINED
    extra = store.execute("SELECT extra FROM sync_error WHERE user_id = 'U1' ORDER BY ALL").fetchall()
    assert [json.loads(cell)["user_as_written"].strip() for (cell,) in extra] == [
        "ANA SOL",
        "ana@example.com",
    ]


def test_an_id_is_preferred_to_a_username_and_a_username_to_a_name(store, write, clock):
    header = "created_by__vr.name__v,created_by__vr.username__sys,{}id,sync_start_datetime__v,sync_type__v\n"
    for number, (column, value) in enumerate([("", ""), ("created_by__v,", "41,")], start=1):
        row = f"Cem Ay,cem@example.com,{value}S{number},2026-10-0{number}T08:00:00Z,a\n"
        load(write(f"{number}.csv", header.format(column) + row), store, clock=clock)
    users = store.execute("SELECT created_by__v FROM sync_tracking__v ORDER BY id").fetchall()
    assert users == [("cem@example.com",), ("41",)]


def test_a_table_without_users_says_so(store, write, clock):
    reports = load(
        write("a.csv", "occurred_at,device_id,message\n2026-10-05,d,Record is locked\n"), store, clock=clock
    )
    assert any(note.startswith("no column names the users") for report in reports for note in report.notes)
