"""A folder is read as its files, and an unpacked Direct Data archive as the archive."""

import tarfile
import zipfile

import pytest

from ingest import SourceUnreadable, load, load_all
from ingest.readers.folders import is_hidden
from tests.support.containers import pack_zip

TRACKING = (
    "id,modified_date__v,sync_start_datetime__v,successful_sync__v\n"
    "S1,2026-12-03T09:10:00.000Z,2026-12-03T08:00:00.000Z,true\n"
    "S2,2026-12-03T09:11:00.000Z,2026-12-03T08:05:00.000Z,false\n"
)
METADATA = "modified_date,extract,extract_label,column_name,column_label,type,length,related_extract\n"
EXTRACTS = {
    "Object/sync_tracking__v.csv": TRACKING,
    "Object/sync_tracking__v_deletes.csv": "id,deleted_date\nS1,2026-12-03T09:12:00.000Z\n",
    "Object/account__v.csv": "id,name__v\nA1,Praxis Nord\n",
    "Object/user__sys.csv": "id,name__v,username__sys,status__v,modified_date__v\n"
    "77,Rep Nord,rep.nord@example.com,active__v,2026-12-03T09:00:00.000Z\n",
    "Metadata/metadata.csv": METADATA + "2026-12-03T09:00Z,Object.call2__v,Call,city__c,City,String,40,\n",
    "Metadata/metadata_deletes.csv": METADATA
    + "2026-12-03T09:05Z,Object.call2__v,Call,zip__c,Zip,String,10,\n",
}
NAME = "4711-20261203-0915-N"
TABLES = ("sync_tracking__v", "sync_user", "object_field", "tombstone")


@pytest.fixture
def archive(pack, tmp_path):
    return pack(tmp_path / "packed" / f"{NAME}.tar.gz", EXTRACTS)


@pytest.fixture(autouse=True)
def packed_folder(tmp_path):
    (tmp_path / "packed").mkdir()


@pytest.fixture
def unpacked(archive, tmp_path):
    folder = tmp_path / "unpacked" / NAME
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (folder / "metadata_full.csv").write_text(EXTRACTS["Metadata/metadata.csv"], encoding="utf-8")
    return folder


def contents(store):
    # Sources differ, the rows do not.
    content = {
        table: store.execute(f"SELECT * EXCLUDE (source, batch_id) FROM {table} ORDER BY ALL").fetchall()
        for table in TABLES
    }
    for table in TABLES:
        store.execute(f"DELETE FROM {table}")
    return content


def test_a_folder_its_files_and_every_packing_of_an_archive_fill_the_same_tables(
    store, archive, unpacked, tmp_path, clock
):
    load(archive, store, clock=clock)
    expected = contents(store)
    assert [row[0] for row in expected["sync_tracking__v"]] == ["S2"]
    assert len(expected["tombstone"]) == 2
    wrapped = tmp_path / "wrapped.tar.gz"
    with tarfile.open(wrapped, "w:gz") as file:
        file.add(unpacked, arcname=NAME)
    zipped = tmp_path / "zipped.zip"
    with zipfile.ZipFile(zipped, "w") as packed:
        for file in unpacked.rglob("*.csv"):
            packed.writestr(file.relative_to(unpacked.parent).as_posix(), file.read_bytes())
    every_file = sorted(each for each in unpacked.rglob("*") if each.is_file())
    for paths in ([unpacked], [unpacked.parent], [wrapped], [zipped], every_file, every_file[::-1]):
        reports = load_all(paths, store, clock=clock)
        assert {each.outcome for each in reports} == {"loaded", "skipped"}, paths
        assert contents(store) == expected, paths


def test_what_is_left_out_of_an_archive_is_reported(store, unpacked, clock):
    reports = load(unpacked, store, clock=clock)
    skipped = {each.source: each.reason for each in reports if each.outcome == "skipped"}
    assert skipped == {
        f"{NAME}/manifest.csv": "it is the index of the archive",
        f"{NAME}/metadata_full.csv": "it repeats all fields; the changed ones are loaded",
        f"{NAME}/*": "extracts that SyncLens does not use: Object/account__v.csv",
    }


def test_a_file_that_the_manifest_announces_and_the_folder_lacks_is_refused(store, unpacked, clock):
    (unpacked / "Object" / "user__sys.csv").unlink()
    reports = load(unpacked, store, clock=clock)
    (missing,) = [each for each in reports if each.outcome == "refused"]
    assert missing.source == f"{NAME}/Object/user__sys.csv"
    assert missing.reason == "it is missing: the manifest lists it with 1 rows"
    assert missing.next_step


def test_rows_that_the_manifest_announces_are_counted(store, unpacked, clock):
    (unpacked / "Object" / "sync_tracking__v.csv").write_text(TRACKING + TRACKING[-60:], encoding="utf-8")
    reports = load(unpacked, store, clock=clock)
    notes = [note for each in reports for note in each.notes]
    assert "expected 2 rows, received 3" in notes


def test_some_files_of_an_archive_need_not_be_complete(store, unpacked, clock):
    reports = load_all(
        [unpacked / "Object" / "sync_tracking__v.csv", unpacked / "manifest.csv"], store, clock=clock
    )
    assert [(each.outcome, each.rows_in) for each in reports] == [("loaded", 2), ("skipped", 0)]


@pytest.mark.parametrize("name", ["sync_tracking__v_deletes.csv", "metadata_deletes.csv"])
def test_a_list_of_deletions_alone_deletes(store, write, clock, name):
    place = "Metadata" if name.startswith("metadata") else "Object"
    (report,) = load(write(name, EXTRACTS[f"{place}/{name}"]), store, clock=clock)
    assert (report.outcome, report.rows_new) == ("loaded", 1)
    assert store.execute("SELECT count(*) FROM tombstone").fetchone() == (1,)


def test_a_folder_is_read_file_by_file_and_one_foreign_file_costs_only_itself(store, tmp_path, clock):
    folder = tmp_path / "exports"
    (folder / "week").mkdir(parents=True)
    (folder / "week" / "syncs.csv").write_text(TRACKING, encoding="utf-8")
    (folder / "errors.zip").write_bytes(
        pack_zip("e.csv", "occurred_at,error_type,message\n2026-12-03 09:00:00,LOCKED,Record is locked\n")
    )
    (folder / "shop.csv").write_text("Shop,Amount\nKiosk,12\n", encoding="utf-8")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    reports = load(folder, store, clock=clock)
    assert [(each.source, each.outcome) for each in reports] == [
        ("exports", "skipped"),
        ("exports/errors.zip#e.csv", "loaded"),
        ("exports/shop.csv", "refused"),
        ("exports/week/syncs.csv", "loaded"),
    ]
    assert "hidden files and files of the operating system: .DS_Store, Thumbs.db" in reports[0].reason


def test_a_folder_without_a_readable_file_raises(store, tmp_path, clock):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceUnreadable, match="no files"):
        load(tmp_path / "empty", store, clock=clock)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("a/.git/config", True),
        ("__MACOSX/a/._b.csv", True),
        ("a/Thumbs.db", True),
        ("a/b.csv", False),
        ("a.b/c..csv", False),
    ],
)
def test_hidden_files_are_recognized(name, hidden):
    assert is_hidden(name) == hidden


def test_archives_of_a_folder_are_loaded_by_stop_time(store, pack, tmp_path, clock):
    folder = tmp_path / "many"
    folder.mkdir()
    pack(
        folder / "4711-20261203-0930-N.tar.gz",
        {"Object/sync_tracking__v_deletes.csv": EXTRACTS["Object/sync_tracking__v_deletes.csv"]},
    )
    pack(folder / "4711-20261203-0915-N.tar.gz", {"Object/sync_tracking__v.csv": TRACKING})
    whole = (folder / "4711-20261203-0915-N.tar.gz").read_bytes()
    (folder / "4711-20261203-0915-N.tar.gz").unlink()
    (folder / "4711-20261203-0915-N.tar.gz.001").write_bytes(whole[:150])
    (folder / "4711-20261203-0915-N.tar.gz.002").write_bytes(whole[150:])
    reports = [each for each in load(folder, store, clock=clock) if each.batch_id]
    assert [each.source.partition("#")[0][-24:] for each in reports] == [
        "1-20261203-0915-N.tar.gz",
        "1-20261203-0930-N.tar.gz",
    ]
    assert store.execute("SELECT id FROM sync_tracking__v").fetchall() == [("S2",)]
