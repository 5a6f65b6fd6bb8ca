import tarfile
from datetime import UTC, datetime

import pytest

from ingest import ArchiveUnsafe, SourceUnreadable, load, load_all
from ingest.readers.direct_data import ArchiveName, read_manifest

HEADER = "id,modified_date__v,sync_start_datetime__v,successful_sync__v,version__v\n"
METADATA = "modified_date,extract,extract_label,column_name,column_label,type,length,related_extract\n"


def line(number, changed, version="263"):
    return f"V{number},2026-11-22T{changed}:00.000Z,2026-11-22T05:00:00.000Z,true,{version}\n"


@pytest.fixture
def archives(pack, tmp_path):
    full = pack(
        tmp_path / "90210-20261122-0000-F.tar.gz",
        {
            "Object/sync_tracking__v.csv": HEADER + line(1, "01:00") + line(2, "01:00") + line(3, "01:00"),
            "Object/account__v.csv": "id,name__v\nA1,Dr Ruiz\n",
            "Metadata/metadata.csv": METADATA
            + ",Object.sync_tracking__v,Sync Tracking,version__v,Version,String,50,\n",
            "Picklist/picklist__sys.csv": "modified_date__v,object,object_field,picklist_value_name,"
            "picklist_value_label,status__v\n2026-03-01T00:06:28.867Z,sync_tracking__v,sync_type__v,"
            "incremental_sync__v,Incremental Sync,active__v\n",
        },
    )
    one = pack(
        tmp_path / "90210-20261122-0615-N.tar.gz",
        {"Object/sync_tracking__v.csv": HEADER + line(2, "06:05", "264") + line(4, "06:06")},
    )
    two = pack(
        tmp_path / "90210-20261122-0630-N.tar.gz",
        {
            "Object/sync_tracking__v.csv": HEADER + line(5, "06:20"),
            "Object/sync_tracking__v_deletes.csv": "id,deleted_date\nV1,2026-11-22T06:21:00.000Z\n",
        },
    )
    return [full, one, two]


def ids(store):
    return store.execute("SELECT id, version__v FROM sync_tracking__v ORDER BY id").fetchall()


TRUTH = [("V2", "264"), ("V3", "263"), ("V4", "263"), ("V5", "263")]


def test_archives_are_loaded_by_stop_time(store, archives, clock):
    reports = load_all(reversed(archives), store, clock=clock)
    assert ids(store) == TRUTH
    assert reports[0].source.partition("#")[0] == archives[0].name
    assert store.execute("SELECT object, name, label FROM picklist_value").fetchall() == [
        ("sync_tracking__v", "incremental_sync__v", "Incremental Sync")
    ]
    assert store.execute("SELECT name, type, max_length FROM object_field").fetchall() == [
        ("version__v", "String", 50)
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1, 2, 0)])
def test_archives_in_any_order_do_not_restore_a_deleted_record(store, archives, clock, order):
    for each in order:
        load(archives[each], store, clock=clock)
    assert ids(store) == TRUTH


def test_an_archive_in_parts_is_read_completely_from_any_part(store, archives, tmp_path, clock):
    whole = archives[0].read_bytes()
    for number, start in enumerate(range(0, len(whole), 200), start=1):
        (tmp_path / f"90211-20261122-0000-F.tar.gz.{number:03}").write_bytes(whole[start : start + 200])
    load(tmp_path / "90211-20261122-0000-F.tar.gz.002", store, clock=clock)
    assert len(ids(store)) == 3
    (tmp_path / "90211-20261122-0000-F.tar.gz.002").unlink()
    with pytest.raises(SourceUnreadable, match="part 002 is missing"):
        load(tmp_path / "90211-20261122-0000-F.tar.gz.001", store, clock=clock)


def test_an_archive_without_a_manifest_is_read_by_its_paths(pack, store, tmp_path, clock):
    files = {"Object/sync_tracking__v.csv": HEADER + line(1, "01:00")}
    load(pack(tmp_path / "export.tar.gz", files, manifest=False), store, clock=clock)
    assert len(ids(store)) == 1


def odd_member(name, kind=tarfile.REGTYPE, size=0):
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    "member",
    [
        odd_member("/etc/passwd"),
        odd_member("../../outside.csv"),
        odd_member("Object/..\\..\\outside.csv"),
        odd_member("C:/outside.csv"),
        odd_member("Object/link.csv", tarfile.SYMTYPE),
        odd_member("Object/hard.csv", tarfile.LNKTYPE),
        odd_member("Object/device.csv", tarfile.CHRTYPE),
        odd_member("Object/pipe.csv", tarfile.FIFOTYPE),
        odd_member("Object/bomb.csv", size=80 << 20),
    ],
    ids=lambda member: member.name,
)
def test_an_unsafe_archive_is_not_unpacked(pack, store, tmp_path, clock, member):
    path = pack(
        tmp_path / "bad.tar.gz", {"Object/sync_tracking__v.csv": HEADER + line(1, "01:00")}, odd=[member]
    )
    with pytest.raises(ArchiveUnsafe):
        load(path, store, clock=clock)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad.tar.gz"]


@pytest.mark.parametrize("cut", [1, 10, 60, 150, 300])
def test_a_damaged_archive_raises_source_unreadable(store, archives, tmp_path, clock, cut):
    damaged = tmp_path / "damaged.tar.gz"
    damaged.write_bytes(archives[0].read_bytes()[:-cut])
    with pytest.raises(SourceUnreadable):
        load(damaged, store, clock=clock)


def test_names_and_manifests_are_read_as_written(tmp_path):
    name = ArchiveName.parse(tmp_path / "90210-20261122-0615-N.tar.gz.001")
    assert (name.vault_id, name.extract_type, name.part) == ("90210", "N", 1)
    assert name.stop_time == datetime(2026, 11, 22, 6, 15, tzinfo=UTC)
    (tmp_path / "m.csv").write_text(
        "extract,extract_label,records,file\nObject.a__v,A,1,Object/a__v.csv\nObject.a__v_deletes,A,1,b.csv\nc,C,0,\n"
    )
    assert [(each.name, each.deletes) for each in read_manifest(tmp_path / "m.csv")] == [
        ("Object.a__v", False),
        ("Object.a__v", True),
    ]


def test_a_deletion_without_id_or_time_is_kept_with_its_reasons(pack, store, tmp_path, clock):
    files = {"Object/sync_tracking__v_deletes.csv": "id,deleted_date\n,soon\nV1,2026-11-22T06:21:00Z\n"}
    report, index = load(pack(tmp_path / "x.tar.gz", files), store, clock=clock)
    assert index.outcome == "skipped"
    assert (report.rows_new, report.rows_rejected) == (1, 1)
    assert store.execute("SELECT reasons FROM rejected_row").fetchall() == [
        (["id: is missing", "deleted_date: is not a valid timestamp (soon)"],)
    ]
