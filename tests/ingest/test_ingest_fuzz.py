"""Whatever a file holds, loading it ends in a balanced account or in an error that says what to do."""

from pathlib import Path
from random import Random

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest import IngestError, load, migrate

DATA = Path(__file__).parents[1] / "data"
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
    assert store.execute("SELECT count(*) FROM ingest_batch").fetchone()[0] == before[0] + len(reports)
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


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_sample_costs_only_what_is_damaged(place, sample, seed):
    loaded(place, sample, mutated((DATA / sample).read_bytes(), seed))


TEXTS = st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
STARTS = st.sampled_from(
    [b"id,sync_start_datetime__v\n", b'{"occurred_at": ', b"[", b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b""]
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["a.csv", "a.jsonl", "a.zip", "a.tar.gz"]),
    STARTS,
    st.one_of(TEXTS, st.binary(max_size=300)),
)
def test_no_bytes_crash_the_loader(place, name, start, content):
    loaded(place, name, start + content)
