import json

from ingest import load, rejected, retry_rejected
from ingest.values import Manner

REPORT = "id,Sync Start Datetime,Sync Duration\nV1,04/03/2024 07:58,98\nV2,05/03/2024 07:58,often\nV3\n"


def test_refused_rows_are_listed_with_everything(store, write, clock):
    load(write("report.csv", REPORT), store, clock=clock)
    listed = rejected(store)
    assert [row.row_number for row in listed] == [1, 2, 3]
    assert len(listed[1].reasons) == 2
    assert json.loads(listed[0].raw or "")["Sync Duration"] == "98"


def test_refused_rows_are_taken_again_when_the_manner_is_known(store, write, clock):
    load(write("report.csv", REPORT), store, clock=clock)
    (report,) = retry_rejected(store, manner=Manner("UTC", "dmy"), clock=clock)
    assert (report.rows_in, report.rows_new, report.rows_rejected) == (2, 1, 1)
    assert [(row.row_number, row.reasons) for row in rejected(store)] == [
        (2, ("sync_duration__v: is not a number (often)",)),
        (3, ("row: has 1 cells where the header has 3",)),
    ]


def test_nothing_refused_is_nothing_to_retry(store, clock):
    assert retry_rejected(store, clock=clock) == []
