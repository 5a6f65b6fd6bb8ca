import json

import pytest

from ingest import load
from ingest.mapping.kinds import kinds
from ingest.mapping.labels import labels_by_meaning, labels_in, labels_of
from ingest.mapping.mapping import BUILTIN_MAPPINGS
from ingest.mapping.recognition import recognize
from ingest.readers.rows import RawRow, RowSource

LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru", "ja", "zh", "ko"]
MEANINGS = [
    "time",
    "user",
    "device",
    "type",
    "code",
    "message",
    "object",
    "record",
    "field",
    "status",
    "level",
]


def source_of(cells, count=3):
    rows = [RawRow(number, dict(cells)) for number in range(1, count + 1)]
    return RowSource("a.csv", list(cells), iter(rows))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("meaning", MEANINGS)
def test_every_language_has_headings_for_every_meaning(language, meaning):
    assert labels_in(language)[meaning]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_label_of_an_error_list_fills_its_column(language):
    columns = {"time": "occurred_at", "user": "user_id", "device": "device_id", "message": "message"}
    for meaning, column in columns.items():
        for label in labels_in(language)[meaning]:
            cells = {
                "occurred_at": "2026-10-05T08:00:00Z",
                "message": "UNABLE_TO_LOCK_ROW: sync refused",
                "user_id": "u1",
                "device_id": "d1",
            }
            value = cells.pop(column)
            recognized = recognize(source_of({**cells, label: value}))
            assert recognized.mapping.assign(recognized.source.header).get(column) == label, label


def test_no_label_means_two_columns():
    by_column = labels_of("sync_error")
    message = {name.casefold() for name in by_column["message"]}
    assert not message & {name.casefold() for name in (*by_column["occurred_at"], *by_column["device_id"])}
    assert labels_by_meaning()["error_stems"]


@pytest.mark.parametrize(
    "mapping", [m for m in BUILTIN_MAPPINGS if m.is_of_one_vendor], ids=lambda m: m.title
)
def test_a_source_with_the_columns_of_a_vendor_is_read_with_its_mapping(mapping):
    header = dict.fromkeys([*mapping.signature, *(names[0] for names in mapping.aliases.values() if names)])
    header = dict.fromkeys([*header, *mapping.distinct[:1]])
    text = "UNABLE_TO_LOCK_ROW: sync failed"
    recognized = recognize(source_of(dict.fromkeys(header, text)), needs_time=False)
    assert recognized.mapping.title == mapping.title
    assert recognized.mapping.contract.table in kinds()


SETUP = (
    '"Date","User","Source Namespace Prefix","Action","Section","Delegate User"\n'
    '"2026-10-05T08:00:00Z","ad@example.com","","Changed profile Rep: field-level security for Visit: Dose '
    'was changed from Editable to Read Only","Manage Users",""\n'
    '"2026-10-05T09:00:00Z","ad@example.com","","Turned a thing on","Company",""\n'
)


def test_a_setup_audit_trail_becomes_configuration_changes(store, write, clock):
    load(write("setup.csv", SETUP), store, clock=clock)
    rows = store.execute(
        "SELECT kind, object, field, before, after FROM config_change ORDER BY changed_at"
    ).fetchall()
    assert rows == [
        ("permission_set", "Visit", "Dose", "Editable", "Read Only"),
        ("setting", None, None, None, None),
    ]


def test_a_data_loader_id_is_the_id_of_the_record(store, write, clock):
    content = (
        '"ID","NAME","ERROR"\n"","x","REQUIRED_FIELD_MISSING:Required fields are missing: [A]:A --"\n'
        + ('"a01","y","ENTITY_IS_DELETED:entity is deleted:--"\n')
    )
    for day in ("10", "11"):
        load(write(f"error10{day}26091455123.csv", content), store, clock=clock)
    rows = store.execute(
        "SELECT record_id, occurred_at::DATE::VARCHAR FROM sync_error ORDER BY ALL"
    ).fetchall()
    assert rows == [("a01", "2026-10-10"), ("a01", "2026-10-11"), (None, "2026-10-10"), (None, "2026-10-11")]


def test_only_log_entries_of_level_error_are_loaded_from_powersync(store, write, clock):
    entry = {
        "timestamp": "2026-10-05T08:00:00Z",
        "level": "error",
        "message": "Request failed [PSYNC_S2302] No sync rules available",
        "errorData": {"code": "PSYNC_S2302", "status": 500},
        "user_id": "u1",
        "rid": "h/1",
    }
    lines = [entry, entry | {"level": "info", "message": "Sync stream started"}]
    load(write("ps.jsonl", "\n".join(map(json.dumps, lines))), store, clock=clock)
    assert store.execute("SELECT error_type, http_status, user_id FROM sync_error").fetchall() == [
        ("PSYNC_S2302", 500, "u1")
    ]


VMOCS = (
    "ID,Name,Object,WHERE Clause,Device,Active,Last Modified Date\n"
    "V1,Accounts,account__v,country__v = 'CH',iPad,true,2026-10-05T08:00:00Z\n"
)
USERS = "User Name,Full Name,Email,Security Profile,Status\nana@example.com,Ana Sol,,Field Rep,Active\n"


def test_vmocs_and_users_with_labels_are_recognized(store, write, clock):
    load(write("vmocs.csv", VMOCS), store, clock=clock)
    assert store.execute("SELECT vmoc_id, object, where_clause, active FROM vmoc").fetchall() == [
        ("V1", "account__v", "country__v = 'CH'", True)
    ]
    reports = load(write("users 2026-10-05.csv", USERS), store, clock=clock)
    assert store.execute(
        "SELECT user_id, security_profile, active, as_of::DATE::VARCHAR FROM sync_user"
    ).fetchall() == [("ana@example.com", "Field Rep", True, "2026-10-05")]
    assert any("no row has a time" in note for report in reports for note in report.notes)
