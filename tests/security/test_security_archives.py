"""Archives, workbooks and backups from strangers: nothing bursts, nothing is written where it should not be."""

import io
import json
import tarfile
import zipfile

import pytest

import ingest
from synclens.backup import BackupError, restore_backup

HEADER = "id,name__v,modified_date__v\n"


def tar_gz(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def load(path, tmp_path):
    with ingest.open_store(tmp_path / "store.duckdb", read_only=False) as store:
        return ingest.load(path, store)


@pytest.mark.parametrize("name", ["../../evil.csv", "/tmp/evil.csv", "Object/../../evil.csv", "C:\\evil.csv"])
def test_no_path_in_an_archive_decides_where_something_is_written(tmp_path, name):
    room = tmp_path / "room"
    room.mkdir()
    path = tar_gz(room / "90211-20261122-0000-F.tar.gz", (tarfile.TarInfo(name), HEADER.encode()))
    with pytest.raises(ingest.ArchiveUnsafe):
        load(path, tmp_path)
    assert not list(tmp_path.rglob("evil.csv"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_an_archive_are_refused(tmp_path, kind):
    member = tarfile.TarInfo("Object/sync_tracking__v.csv")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(ingest.ArchiveUnsafe):
        load(tar_gz(tmp_path / "90211-20261122-0000-F.tar.gz", (member, b"")), tmp_path)


def bomb_xlsx(path):
    """A workbook of some kilobytes whose only sheet unpacks to gigabytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(300):
                sheet.write(b" " * (1 << 20))
    return path


def bomb_zip(path):
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("usage.csv", "w", force_zip64=True) as log,
    ):
        for _ in range(300):
            log.write(b"0" * (1 << 20))
    return path


@pytest.mark.parametrize("make", [bomb_xlsx, bomb_zip], ids=["workbook", "usage log"])
def test_what_would_burst_is_not_unpacked(tmp_path, make):
    name = "bomb.xlsx" if make is bomb_xlsx else "bomb.zip"
    path = make(tmp_path / name)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ingest.ArchiveUnsafe, match="unpacks to"):
        load(path, tmp_path)


@pytest.mark.parametrize("name", ["../outside.duckdb", "/tmp/outside.duckdb"])
def test_a_backup_from_a_stranger_writes_only_what_a_backup_has(tmp_path, name):
    room = tmp_path / "room"
    room.mkdir()
    path = tmp_path / "backup.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"made_at": "", "synclens": "", "sha256": {name: "0"}}))
        archive.writestr(name, "evil")
    with pytest.raises(BackupError):
        restore_backup(path, room / "store.duckdb")
    assert not list(tmp_path.rglob("outside.duckdb"))
