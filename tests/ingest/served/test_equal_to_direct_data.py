"""A pull stores the same values as the Direct Data files of the same Vault, whatever the Vault refuses or holds."""

import json
from datetime import timedelta
from random import Random

import pytest

from ingest import pull_direct_data
from sync_engine.vault import admin
from tests.support.examples import examples

KEYS = {"sync_tracking__v": "id", "sync_user": "user_id", "vmoc": "vmoc_id", "veeva_setting": "setting_id"}
TABLES = {
    "sync_tracking__v": "sync_tracking__v",
    "user__sys": "sync_user",
    "vmobile_object_configuration__v": "vmoc",
    "veeva_settings__v": "veeva_setting",
}
NEEDED = {
    "sync_tracking__v": {"id", "sync_start_datetime__v", "modified_date__v"},
    "user__sys": {"id", "modified_date__v"},
    "vmobile_object_configuration__v": {"id", "object_name__v", "modified_date__v"},
    "veeva_settings__v": {"id", "name__v", "modified_date__v"},
}
"""Without these fields, rows are rejected, or their version is unknown."""

PIECES = ("a", "b 'c'", 'd "e"', "äß", "日本", "😀", "e\u0301", "\t", ",", ";", "\\", "=1", "%")
BREAKS = ("\n", "\r\n", "\r")
WORDS = (
    None,
    "",
    " ",
    "null",
    "NULL",
    "true",
    "0",
    "a,b",
    "[]",
    "'",
    '"',
    "\\n",
    "x\r\ny\rz\nend",
    "\ufeffx",
)
SIZES = (3, 249, 250, 251, 2_000, 32_001, 70_000)
HOURS = (-400, -5, 0, 3, 1000)


def draw_text(random):
    """Return a text of a random size from pieces, or one that looks like another kind of value."""
    if random.random() < 0.4:
        return random.choice(WORDS)
    size = random.choice(SIZES)
    pieces = random.choices(PIECES, k=size)
    for position in random.choices(range(size), k=min(size, 150) // 2):
        pieces[position] = random.choice(BREAKS)
    return "".join(pieces)[:size]


def plant_texts(vault, texts, at):
    """Write texts into the WHERE clauses of VMOCs, into settings, and into names of users."""
    names = sorted(vault.live["vmoc"])
    for name, text in zip(names, texts, strict=False):
        doc = vault.live["vmoc"][name] | {"where_clause__v": text}
        admin.set_vmoc(vault, name, doc, at=at, publish=False)
    for name, text in zip(sorted(vault.live["setting"]), texts, strict=False):
        admin.set_setting(vault, name, text, at=at)
    for user, text in zip(sorted(vault.live["user"]), texts, strict=False):
        admin.set_user(vault, user, at=at, country=text)
    spec = vault.live["object"]["veeva_settings__v"]
    fields = spec["fields"] | {"value__v": spec["fields"]["value__v"] | {"length": 32_000}}
    with vault.transaction():
        vault.configure("object", "veeva_settings__v", spec | {"fields": fields})


def read_rows(store, table):
    """Return the newest row of each record by its id, with the values of `extra` as further columns."""
    result = store.execute(f"SELECT * EXCLUDE (source, batch_id) FROM {table}")
    names = [column[0] for column in result.description]
    rows = {}
    for row in result.fetchall():
        cells = dict(zip(names, row, strict=True))
        rows[cells[KEYS[table]]] = cells | json.loads(cells.pop("extra", None) or "{}")
    return rows


IDENTIFYING = {"user__sys.username__sys", "vmobile_object_configuration__v.where_clause__v"}
"""Fields by which a file of the object is recognized. In a pull, the object is known without them."""


def assert_equal(by_page, by_archive, refused):
    """Check each value: equal, or unknown because its field was refused."""
    for name, table in TABLES.items():
        pulled, loaded = read_rows(by_page, table), read_rows(by_archive, table)
        assert pulled.keys() == loaded.keys(), table
        different = {
            column
            for key in pulled
            for column in pulled[key].keys() | loaded[key].keys()
            if pulled[key].get(column) != loaded[key].get(column)
        }
        unknown = {column for column in different if all(row.get(column) is None for row in pulled.values())}
        assert different == unknown, (table, different - unknown)
        assert len(unknown) <= sum(each.startswith(f"{name}.") for each in refused), (table, unknown)


def draw_refused(random, vault):
    user = vault.vault.live["user"]["41000"]
    names = sorted(
        f"{name}.{field}"
        for name, each in vault.list_objects(user).items()
        if name in TABLES
        for field in each.fields
        if field not in NEEDED[name]
    )
    return frozenset(random.sample(names, random.randint(0, 4)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(examples(8)))
def test_a_pull_equals_direct_data(
    served, simulated_vault, pulled, signed_in, make_empty_store, tmp_path, seed
):
    random = Random(seed)
    hours = HOURS[seed % len(HOURS)]
    address, vault = served(part_bytes=50_000)
    texts = [draw_text(random) for _ in range(6)]
    plant_texts(vault.vault, texts, simulated_vault.at - 60)
    vault.refused = draw_refused(random, vault) | (IDENTIFYING if seed == 1 else frozenset())
    skewed = simulated_vault.now + timedelta(hours=hours)
    by_page, report = pulled(address, at=skewed)
    omitted = {f"{each.target}.{each.what.removeprefix('field ')}" for each in report.omissions}
    assert omitted == vault.refused
    assert bool(report.notes) == bool(hours)
    by_archive = make_empty_store()
    with signed_in(address) as client:
        loaded = pull_direct_data(
            by_archive, client, tmp_path / "files", extract="full_directdata", clock=lambda: skewed
        )
    assert loaded.is_complete, [
        (b.source, b.outcome, b.reason, b.reasons)
        for b in loaded.batches
        if b.rows_rejected or b.outcome != "loaded"
    ] + loaded.omissions
    assert_equal(by_page, by_archive, vault.refused)
    if not vault.refused:
        stored = {row["where_clause"] for row in read_rows(by_archive, "vmoc").values()}
        assert {text for text in texts if text and len(text) > 10} <= stored
