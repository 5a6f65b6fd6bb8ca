"""A table is read alike from every container, and hostile archives are refused quickly."""

import gzip
import io
import lzma
import stat
import tarfile
import time
import zipfile

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest import ArchiveUnsafe, IngestError, SourceUnreadable, load, migrate
from ingest.readers.detect import open_sources
from ingest.readers.rows import RowSource
from tests.support.containers import CONTAINERS, pack_tar, pack_zip
from tests.support.encoding_texts import TABLES
from tests.support.examples import examples

HEADER = "event_id,occurred_at,error_type,message\n"
TABLE = (
    HEADER + "E1,2026-12-03T09:00:00Z,LOCKED,Der Besuch ist gesperrt\nE2,2026-12-03T09:05:00Z,LOCKED,Again\n"
)


def rows_of(path, **options):
    rows = []
    for part in open_sources(path, **options):
        assert isinstance(part, RowSource), part
        rows += [(row.cells, row.problem, row.raw) for row in part.rows]
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("containers")


def written_once(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_rows_of_the_file_whatever_its_name(write, container):
    plain = rows_of(write("plain.csv", TABLE))
    packed = CONTAINERS[container]("errors.csv", TABLE.encode())
    for name in ("export.bin", "export.csv", "export.zip", "90210-20261203-0900-N.tar.gz"):
        assert rows_of(write(name, packed)) == plain


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.sampled_from(sorted(CONTAINERS)), min_size=1, max_size=3),
    st.sampled_from([(language, each) for language, (encodings, _) in TABLES.items() for each in encodings]),
    st.lists(st.integers(1, 2), max_size=20),
)
def test_any_table_in_any_nesting_and_encoding_gives_the_same_rows(folder, nesting, case, lines):
    language, encoding = case
    every = TABLES[language][1].splitlines(keepends=True)
    text = "".join([*every, *(every[line] for line in lines)])
    plain = rows_of(written_once(folder, "plain.csv", text.encode()))
    content = text.encode(encoding)
    for container in nesting:
        content = CONTAINERS[container]("inner", content)
    assert rows_of(written_once(folder, "packed", content), encoding=encoding) == plain
    assert rows_of(written_once(folder, "packed", content)) == plain


def test_each_member_is_read_by_what_it_is(store, write, clock):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/errors.txt", TABLE)
        archive.writestr(
            "b/lines.dat", '{"occurred_at": "2026-12-04T10:00:00Z", "message": "Access denied"}\n' * 2
        )
        archive.writestr("c.gz", gzip.compress(TABLE.replace("E1", "E8").replace("E2", "E9").encode()))
        archive.writestr("photo.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
        archive.writestr("__MACOSX/a/._errors.txt", b"\0\5\x16\7")
        archive.writestr(".DS_Store", b"\0\0\0\1Bud1")
    reports = load(write("mixed.zip", file.getvalue()), store, clock=clock)
    assert {(each.source, each.outcome) for each in reports} == {
        ("mixed.zip", "skipped"),
        ("mixed.zip#a/errors.txt", "loaded"),
        ("mixed.zip#b/lines.dat", "loaded"),
        ("mixed.zip#c.gz", "loaded"),
        ("mixed.zip#photo.csv", "refused"),
    }
    assert "image" in next(each.reason for each in reports if each.outcome == "refused")
    assert store.execute("SELECT count(*) FROM sync_error").fetchone() == (5,)


def test_an_encrypted_zip_is_refused_with_what_to_do(store, write, clock):
    packed = bytearray(pack_zip("errors.csv", TABLE))
    central = packed.index(b"PK\x01\x02")
    packed[6] |= 1
    packed[central + 8] |= 1
    with pytest.raises(SourceUnreadable, match="encrypted") as refused:
        load(write("secret.zip", bytes(packed)), store, clock=clock)
    assert "password" in refused.value.next_step


def zip_with(name, content=b"x", mode=0):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, content)
        archive.writestr("errors.csv", TABLE)
    return file.getvalue()


def tar_with(name, kind=tarfile.REGTYPE):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    return file.getvalue()


def nested(levels):
    content = TABLE.encode()
    for _ in range(levels):
        content = pack_zip("inner.zip", content)
    return content


def nested_bomb():
    content = b"0" * (24 << 20)
    for _ in range(2):
        content = gzip.compress(content, mtime=0)
    return content


def many_members():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}.gz", gzip.compress(b"0" * (1 << 20), mtime=0))
    return file.getvalue()


HOSTILE = {
    "an absolute path": lambda: zip_with("/etc/cron.d/job"),
    "a path out of the folder": lambda: zip_with("a/../../out.csv"),
    "a Windows path out of the folder": lambda: zip_with("a\\..\\..\\out.csv"),
    "a drive": lambda: zip_with("C:\\out.csv"),
    "a link in a zip": lambda: zip_with("link.csv", b"/etc/passwd", stat.S_IFLNK | 0o777),
    "a link in a tar": lambda: tar_with("link.csv", tarfile.SYMTYPE),
    "a hard link in a tar": lambda: tar_with("link.csv", tarfile.LNKTYPE),
    "a device": lambda: tar_with("null", tarfile.CHRTYPE),
    "a zip bomb": lambda: pack_zip("zeros.csv", b"0" * (40 << 20)),
    "a gzip bomb": lambda: gzip.compress(b"0" * (40 << 20)),
    "an xz bomb": lambda: lzma.compress(b"0" * (40 << 20)),
    "a bomb in a compressed file": nested_bomb,
    "many small bombs": many_members,
    "too many archives within each other": lambda: nested(12),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_quickly_and_writes_nothing(store, tmp_path, clock, kind):
    path = tmp_path / "hostile.csv"
    path.write_bytes(HOSTILE[kind]())
    start = time.process_time()
    with pytest.raises(ArchiveUnsafe) as refused:
        load(path, store, clock=clock)
    assert time.process_time() - start < 5
    assert refused.value.next_step
    assert [each.name for each in tmp_path.iterdir()] == ["hostile.csv"]
    assert store.execute("SELECT count(*) FROM sync_error").fetchone() == (0,)


def test_four_archives_within_each_other_are_read(write):
    assert rows_of(write("a.zip", nested(4))) == rows_of(write("plain.csv", TABLE))


@pytest.mark.parametrize("container", [each for each in CONTAINERS if each != "tar" and "folder" not in each])
@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_truncated_container_is_refused_and_stores_nothing(store, write, clock, container, cut):
    table = HEADER + "".join(f"E{n},2026-12-03T09:00:00Z,LOCKED,Nr. {n * n}\n" for n in range(400))
    packed = CONTAINERS[container]("errors.csv", table.encode())
    with pytest.raises(SourceUnreadable) as refused:
        load(write("cut", packed[:-cut]), store, clock=clock)
    assert refused.value.next_step
    assert store.execute("SELECT count(*) FROM sync_error").fetchone() == (0,)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        migrate(connection)
        yield connection, tmp_path_factory.mktemp("fuzz")


@settings(max_examples=examples(80), deadline=None)
@given(
    st.sampled_from(sorted(CONTAINERS)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_changed_bytes_of_a_container_never_crash_a_load(place, container, changes):
    store, folder = place
    packed = bytearray(CONTAINERS[container]("errors.csv", TABLE.encode()))
    for where, value in changes:
        packed[int(where * len(packed))] = value
    path = folder / "changed"
    path.write_bytes(packed)
    try:
        reports = load(path, store)
    except IngestError as error:
        assert error.next_step
    else:
        assert reports
        assert all(each.reason for each in reports if each.outcome in ("refused", "skipped", "empty"))


def test_a_name_in_a_tar_does_not_decide_the_format(write):
    assert rows_of(write("a.tar", pack_tar("photo.png", TABLE.encode()))) == rows_of(write("b.csv", TABLE))
