"""Whatever a file holds, loading it ends in a balanced account or in an error with a next step."""

import contextlib
import csv
import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from random import Random

import duckdb
import hypothesis.strategies as st
import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings

from ingest import IngestError, load, migrate
from tests.support.examples import examples

DATA = Path(__file__).parents[2] / "data"
SAMPLES = ["sync_tracking__v_export.csv", "sync_errors.jsonl"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        migrate(connection)
        yield connection, tmp_path_factory.mktemp("fuzz")


def loaded(place, name, content):
    store, folder = place
    path = folder / name
    path.write_bytes(content)
    before = store.execute("SELECT count(*) FROM ingest_batch").fetchone()
    try:
        reports = load(path, store)
    except IngestError as error:
        assert error.next_step
        return []
    for report in reports:
        counts = report.rows_new + report.rows_updated + report.rows_unchanged + report.rows_rejected
        assert report.rows_in == counts
        assert report.outcome != "refused" or report.next_step
    assert store.execute("SELECT count(*) FROM ingest_batch").fetchone()[0] == before[0] + sum(
        report.batch_id is not None for report in reports
    )
    return reports


def mutated(content, seed):
    random, body = Random(seed), bytearray(content)
    for _ in range(random.randint(1, 12)):
        at = random.randrange(len(body))
        match random.randrange(5):
            case 0:
                body[at] = random.randrange(256)
            case 1:
                del body[at : at + random.randint(1, 40)]
            case 2:
                body[at:at] = random.choice([b'"', b"\n", b"\r", b",", b"\0", b"\xff", b"{", b"\xe2\x80\xa8"])
            case 3:
                body[at:at] = body[at : at + random.randint(1, 200)]
            case _:
                del body[at:]
        if not body:
            break
    return bytes(body)


def exported():
    with (DATA / SAMPLES[0]).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    return [row for row in rows if len(row) == len(rows[0])]


def as_parquet(rows):
    file = io.BytesIO()
    columns = {name: [row[at] for row in rows[1:]] for at, name in enumerate(rows[0])}
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def as_workbook(rows):
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    # Stored rather than packed: damage reaches the cells and not only a checksum.
    unpacked = io.BytesIO()
    with zipfile.ZipFile(file) as packed, zipfile.ZipFile(unpacked, "w") as stored:
        for name in packed.namelist():
            content = packed.read(name)
            stored.writestr(name, mutated(content, 2) if name.endswith("sheet1.xml") else content)
    return file.getvalue(), unpacked.getvalue()


def as_page(lines):
    return json.dumps({"data": [json.loads(line) for line in lines if line.startswith(b"{") and valid(line)]})


def valid(line):
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(line), dict)
    return False


def as_archive(content):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("Object/sync_tracking__v.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture(scope="module")
def forms():
    export, rows = (DATA / SAMPLES[0]).read_bytes(), exported()
    sound, damaged = as_workbook(rows)
    return {
        "a.parquet": as_parquet(rows),
        "a.xlsx": sound,
        "b.xlsx": damaged,
        "a.json": as_page((DATA / SAMPLES[1]).read_bytes().splitlines()).encode(),
        "utf16.csv": export.decode("utf-8-sig").encode("utf-16"),
        "90210-20261122-0000-F.tar.gz": as_archive(export),
    }


FORMS = ["a.parquet", "a.xlsx", "b.xlsx", "a.json", "utf16.csv", "90210-20261122-0000-F.tar.gz"]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_stored_rejected_or_an_error(place, forms, name, seed):
    content = mutated(forms[name], seed)
    loaded(place, name, gzip.compress(content) if name.endswith(".gz") else content)


def test_every_undamaged_file_can_be_loaded(place, forms):
    for name in FORMS:
        if name != "b.xlsx":
            packed = gzip.compress(forms[name]) if name.endswith(".gz") else forms[name]
            assert sum(report.rows_in for report in loaded(place, name, packed)) > 50


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_sample_costs_only_what_is_damaged(place, sample, seed):
    loaded(place, sample, mutated((DATA / sample).read_bytes(), seed))


TEXTS = st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
STARTS = st.sampled_from(
    [b"id,sync_start_datetime__v\n", b'{"occurred_at": ', b"[", b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b""]
)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.sampled_from(["a.csv", "a.jsonl", "a.zip", "a.tar.gz"]),
    STARTS,
    st.one_of(TEXTS, st.binary(max_size=300)),
)
def test_no_bytes_crash_the_loader(place, name, start, content):
    loaded(place, name, start + content)


def test_a_json_document_that_is_cut_off_is_reported_as_such(tmp_path):
    path = tmp_path / "answer.json"
    path.write_text('{"data": [{"id": "V5", "name": ', encoding="utf-8")
    with pytest.raises(IngestError, match="not complete JSON") as caught:
        load(path, tmp_path / "s.duckdb")
    assert "cut off" in caught.value.next_step
