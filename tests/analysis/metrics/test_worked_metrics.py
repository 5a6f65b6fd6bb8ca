"""Each metric on a small store that was counted on paper, with the working beside the figures."""

from __future__ import annotations

from datetime import datetime
from math import isnan
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from analysis import METRICS, measure
from analysis.metrics.local_days import measure_by_local_day

MONDAY = "2026-04-13"
Rows = list[dict[str, Any]]


class Paper:
    """Writes the rows of one store."""

    def __init__(self, store: DuckDBPyConnection) -> None:
        self.store = store
        self.count = 0

    def sync(
        self, at: str, outcome: str = "ok", *, user: str | None = "ida", kind: str = "day", **more: Any
    ) -> None:
        """Add a sync of a minute. Columns of the detail record are those that sync_detail has."""
        self.count += 1
        row = {
            "id": f"t{self.count}",
            "created_by__v": user,
            "sync_type__v": kind,
            "sync_start_datetime__v": at,
            "sync_completed_datetime__v": None if outcome == "open" else at,
            "sync_duration__v": None if outcome == "open" else 60.0,
            "successful_sync__v": {"ok": True, "bad": False, "stop": False, "open": None}[outcome],
            "sync_canceled__v": outcome == "stop",
        }
        detail = {
            name: more.pop(name)
            for name in (
                "device_id",
                "trigger",
                "active_seconds",
                "paused_seconds",
                "pending_uploads",
                "records_created",
            )
            if name in more
        }
        self._insert("sync_tracking__v", row | more)
        if detail:
            self._insert("sync_detail", {"sync_id": row["id"], "user_id": user} | detail)

    def error(self, at: str, issue: str, cause: str, **more: Any) -> None:
        """Add an error with its finding."""
        self.count += 1
        event = {"event_id": f"e{self.count}", "occurred_at": at, "user_id": "ida", "message": issue}
        self._insert("sync_error", event | more)
        self.store.execute(
            "INSERT INTO finding VALUES (?, ?, ?, ?, 'r', [], [], 'no', 'server', 'c', 'g')",
            [event["event_id"], issue, cause, 0.0 if cause == "unknown" else 0.8],
        ).fetchall()

    def pending(self, device: str, record: str, *, in_error: bool, **more: Any) -> None:
        """Add a record to the list that a device made on Monday at noon."""
        row = {
            "device_id": device, "as_of": f"{MONDAY} 12:00", "object": "call2__v", "record_id": record,
            "user_id": "ida", "operation": "update", "edited_at": f"{MONDAY} 06:00", "in_error": in_error,
        }  # fmt: skip
        self._insert("pending_record", row | more)

    def zone(self, user: str, zone: str) -> None:
        """State the time zone of a user."""
        self._insert(
            "sync_user", {"user_id": user, "as_of": f"{MONDAY} 00:00", "time_zone": zone, "active": True}
        )

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        row = row | {"source": "paper", "batch_id": "paper"}
        marks = ", ".join("?" * len(row))
        self.store.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
        ).fetchall()


@pytest.fixture
def paper(store: DuckDBPyConnection) -> Paper:
    return Paper(store)


def rows(paper: Paper, name: str, *columns: str, **filters: object) -> list[tuple[Any, ...]]:
    """Return the columns of a metric as plain values."""
    frame = measure(paper.store, name, **filters)[list(columns)]
    return [tuple(_plain(value) for value in row) for row in frame.itertuples(index=False, name=None)]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.hour == value.minute == 0 else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return None if isnan(value) else pytest.approx(value)
    return value


def every_outcome(paper: Paper) -> None:
    """Six syncs of one type: two clean, one with refused records, one failed, one canceled, one unfinished."""
    paper.sync(f"{MONDAY} 08:00", number_of_retries__v=0, number_of_vtrans__v=2)
    paper.sync(f"{MONDAY} 09:00", number_of_retries__v=3, number_of_vtrans__v=None)
    paper.sync(f"{MONDAY} 10:00", number_of_upload_errors__v=4, number_of_uploads__v=6)
    paper.sync(f"{MONDAY} 11:00", "bad", number_of_retries__v=1, number_of_uploads__v=10)
    paper.sync(f"{MONDAY} 12:00", "stop", number_of_retries__v=5)
    paper.sync(f"{MONDAY} 13:00", "open", number_of_vtrans__v=1)


# 6 syncs = 3 completed (2 of them clean) + 1 failed + 1 canceled + 1 unfinished; 4 finished.
OUTCOMES = {
    # completed 3 of 4 finished
    "success_rate": (("good", "bad", "canceled", "unfinished", "success_rate"), (3, 1, 1, 1, 3 / 4)),
    # clean 2 of 4 finished
    "sync_clean_syncs": (("syncs", "clean", "share"), (4, 2, 2 / 4)),
    # 1 canceled and 1 unfinished of all 6
    "canceled_rate": (("syncs", "canceled", "unfinished", "canceled_share"), (6, 1, 1, 1 / 6)),
    # no retry at 08:00; none recorded at 10:00, which counts as none: 2 of 4 finished
    "first_try_success": (("syncs", "good", "share"), (4, 2, 2 / 4)),
    # recorded for 4 syncs: 0 + 3 + 1 + 5 = 9 retries; 3 of the 4 have one
    "retries": (("syncs", "retries_per_sync", "share_with_retries", "most"), (4, 9 / 4, 3 / 4, 5)),
    # 2 + 1 = 3 files in 6 syncs
    "vtrans_rate": (("syncs", "vtrans", "vtrans_per_1000"), (6, 3, 500.0)),
    # 6 + 10 uploaded, 4 refused: 4 of 20
    "upload_error_rate": (("syncs", "records", "errors", "errors_per_1000"), (6, 20, 4, 200.0)),
    # of 4 finished syncs one failed; the rate leaves the canceled and the unfinished one out
    "failures_by_day": (
        ("day", "syncs", "failed", "with_upload_errors", "canceled", "unfinished", "failure_rate"),
        (MONDAY, 6, 1, 1, 1, 1, 1 / 4),
    ),
    # all four finished syncs took a minute
    "time_to_sync": (("syncs", "median", "p95", "unfinished", "canceled"), (4, 60.0, 60.0, 1, 1)),
    # one device by its user, with one failed sync
    "sync_clean_devices": (("devices", "clean", "share"), (1, 0, 0.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_outcome_counts_once(paper: Paper, name: str) -> None:
    every_outcome(paper)
    columns, expected = OUTCOMES[name]
    assert rows(paper, name, *columns) == [expected]


def test_syncs_of_a_shared_device_and_of_no_device(paper: Paper) -> None:
    """Two users share ipad-a (one failed sync), ida has an iPhone, olu's syncs name no device: three devices.

    ipad-a failed, the iPhone and olu did not: 2 of 3 clean. A sync without device and user belongs to no device.
    """
    paper.sync(f"{MONDAY} 08:00", user="ida", device_id="ipad-a")
    paper.sync(f"{MONDAY} 09:00", "bad", user="jon", device_id="ipad-a")
    paper.sync(f"{MONDAY} 10:00", user="ida", device_id="iphone-a")
    paper.sync(f"{MONDAY} 11:00", user="olu")
    paper.sync(f"{MONDAY} 12:00", "bad", user=None)
    assert rows(paper, "sync_clean_devices", "devices", "clean", "share") == [(3, 2, 2 / 3)]
    assert rows(paper, "freshness", "age", "devices", "share") == [("within 1 day", 3, 1.0)]
    assert rows(paper, "failures_by_day", "syncs", "failed", "devices_with_failure") == [(5, 2, 1)]


def test_active_and_paused_time(paper: Paper) -> None:
    """Known for two of three finished syncs: active 30 and 50 (median 40), paused 20 and 0: 20 of 100 seconds."""
    paper.sync(f"{MONDAY} 08:00", active_seconds=30.0, paused_seconds=20.0)
    paper.sync(f"{MONDAY} 09:00", active_seconds=50.0, paused_seconds=0.0)
    paper.sync(f"{MONDAY} 10:00")
    paper.sync(f"{MONDAY} 11:00", "stop", active_seconds=999.0, paused_seconds=999.0)
    columns = ("known", "unknown", "active_median", "paused_share", "share_with_pause")
    assert rows(paper, "paused_time", *columns) == [(2, 1, 40.0, 20 / 100, 1 / 2)]


def test_refreshes_by_week(paper: Paper) -> None:
    """The week of Monday 13 April has 4 syncs, 2 of them refreshes on one device, one forced; Sunday the 12th
    is in the week before."""
    paper.sync("2026-04-12 23:59", kind="Full_Refresh__c", device_id="ipad-a")
    paper.sync(f"{MONDAY} 00:00", kind="full_refresh__c", device_id="ipad-a", trigger="forced")
    paper.sync("2026-04-15 08:00", kind="full_refresh__c", device_id="ipad-a", trigger="manual")
    paper.sync("2026-04-16 08:00")
    paper.sync("2026-04-19 23:59", "stop")
    columns = ("week", "syncs", "refreshes", "devices", "forced", "share")
    assert rows(paper, "forced_refresh_rate", *columns) == [
        ("2026-04-06", 1, 1, 1, 0, 1.0), (MONDAY, 4, 2, 1, 1, 2 / 4),
    ]  # fmt: skip


def test_the_balance_of_uploads(paper: Paper) -> None:
    """created = tracked + waiting + untracked, per sync of one device:

    1. 10 created, 4 uploaded, 2 wait. The outbox before is unknown, the smallest that explains it is 0: 4 left by
       autosync.
    2. 5 created, 6 uploaded, 1 waits: the outbox shrank from 2 to 1, so all 5 + 1 are tracked, none by autosync.
    3. 3 created, none uploaded, 2 wait (one refused again): the outbox grew by 1, 2 left by autosync.
    Sum: 18 created = 10 tracked + (2 - 1 + 1) waiting + 6 untracked; 10 of 16 uploads are tracked.
    """
    for hour, created, uploads, waiting in ((8, 10, 4, 2), (9, 5, 6, 1), (10, 3, 0, 2)):
        paper.sync(
            f"{MONDAY} {hour:02}:00", device_id="ipad-a", records_created=created, number_of_uploads__v=uploads,
            number_of_upload_errors__v=1, pending_uploads=waiting,
        )  # fmt: skip
    paper.sync(f"{MONDAY} 11:00", number_of_uploads__v=50)  # counts nothing created: not in the balance
    columns = ("syncs", "created", "tracked", "waiting", "untracked", "tracked_share")
    assert rows(paper, "autosync_blind_spot", *columns) == [(3, 18, 10, 2, 6, 10 / 16)]
    # The third sync alone still starts from the outbox of the second.
    assert rows(paper, "autosync_blind_spot", *columns, since=f"{MONDAY} 10:00") == [(1, 3, 0, 1, 2, 0.0)]


def some_errors(paper: Paper) -> None:
    """Five errors: four with a cause, on three devices (one known by its user), of two users."""
    paper.error(f"{MONDAY} 23:59", "i1", "network", device_id="ipad-a", phase="download")
    paper.error("2026-04-14 00:00", "i1", "network", device_id="ipad-b", phase="download")
    upload = {"phase": "upload", "object": "call2__v", "operation": "update"}
    paper.error("2026-04-14 09:00", "i2", "record-locked", user_id="jon", record_id="r1", **upload)
    paper.error("2026-04-14 09:01", "i2", "record-locked", user_id="jon", record_id="r1", **upload)
    paper.error("2026-04-14 09:02", "i3", "unknown", device_id="ipad-a", phase="upload")


def test_errors_by_cause_day_and_object(paper: Paper) -> None:
    """network: 2 events of ida on 2 devices; record-locked: 2 of jon, whose device is unknown; unknown: 1."""
    some_errors(paper)
    assert rows(paper, "errors_by_cause", "cause", "events", "issues", "users", "devices", "share") == [
        ("network", 2, 1, 1, 2, 2 / 5), ("record-locked", 2, 1, 1, 1, 2 / 5), ("unknown", 1, 1, 1, 1, 1 / 5),
    ]  # fmt: skip
    assert rows(paper, "errors_by_day", "day", "cause", "events", "devices") == [
        (MONDAY, "network", 1, 1), ("2026-04-14", "network", 1, 1), ("2026-04-14", "record-locked", 2, 1),
        ("2026-04-14", "unknown", 1, 1),
    ]  # fmt: skip
    # Two errors name call2__v (one record twice), three name no object.
    assert rows(paper, "errors_by_object", "object", "operation", "events", "users", "devices", "records") == [
        ("none", "none", 3, 1, 2, 0), ("call2__v", "update", 2, 1, 1, 1),
    ]  # fmt: skip
    # Upload: 2 of 3 known; download: 2 of 2.
    assert rows(paper, "cause_coverage", "phase", "events", "known", "share", "mean_confidence") == [
        ("upload", 3, 2, 2 / 3, 0.8), ("download", 2, 2, 1.0, 0.8),
    ]  # fmt: skip


def test_an_issue_over_a_leap_day(paper: Paper) -> None:
    """From 27 February to 1 March 2028 are 4 days: the 27th, 28th, 29th and 1st. The longest gap is the 27th to
    the 29th. The reference time is that of the last sync, 9 March: 8 quiet days, and ida has synced since."""
    for at in ("2028-02-27 08:00", "2028-02-29 08:00", "2028-03-01 08:00"):
        paper.error(at, "i1", "network", record_id="r1")
    paper.sync("2028-03-09 08:00")
    columns = ("events", "days_active", "quiet_days", "longest_gap_days", "over_by_itself", "returned")
    assert rows(paper, "issue_lifetime", *columns) == [(3, 4, 8, 2, True, False)]


@pytest.mark.parametrize(
    ("zone", "times", "days"),
    [
        # Berlin is UTC+1 until 29 March 2026, 01:00 UTC, then UTC+2: 22:30 UTC is 23:30, the day after 00:30.
        ("Europe/Berlin", ["2026-03-28 22:30", "2026-03-29 22:30"], {"2026-03-28": 1, "2026-03-30": 1}),
        # Back to UTC+1 on 25 October: both syncs are on the 25th, at 00:30 and at 23:30, 24 hours apart.
        ("Europe/Berlin", ["2026-10-24 22:30", "2026-10-25 22:30"], {"2026-10-25": 2}),
        # New York is UTC-5: 02:30 UTC on 1 March 2028 is 21:30 on the leap day.
        ("America/New_York", ["2028-02-29 02:30", "2028-03-01 02:30"], {"2028-02-28": 1, "2028-02-29": 1}),
        # Kathmandu is UTC+5:45: 18:14 UTC is 23:59, 18:15 UTC is midnight.
        ("Asia/Kathmandu", [f"{MONDAY} 18:14", f"{MONDAY} 18:15"], {MONDAY: 1, "2026-04-14": 1}),
    ],
)
def test_local_days(paper: Paper, zone: str, times: list[str], days: dict[str, int]) -> None:
    paper.zone("ida", zone)
    for at in times:
        paper.sync(at)
    frame = measure_by_local_day(paper.store, "failures_by_day")
    assert {f"{day:%Y-%m-%d}": syncs for day, syncs in zip(frame["day"], frame["syncs"], strict=True)} == days


def test_pending_records(paper: Paper) -> None:
    """ipad-a lists a refused call with two samples below it, and an account; ipad-b lists the same call, unrefused.

    5 records on 2 devices, 1 in error. The refusal is record-locked; its 2 samples depend on it. The oldest edit
    is 06:00, six hours before the newest sync.
    """
    paper.sync(f"{MONDAY} 12:00", device_id="ipad-a", pending_uploads=4)
    paper.error(f"{MONDAY} 07:00", "i1", "record-locked", device_id="ipad-a", record_id="c1", phase="upload")
    paper.pending("ipad-a", "c1", in_error=True)
    paper.pending("ipad-a", "s1", in_error=False, object="call2_sample__v", parent_record_id="c1")
    paper.pending("ipad-a", "s2", in_error=False, object="call2_sample__v", parent_record_id="c1")
    paper.pending("ipad-a", "a1", in_error=False, object="account__v")
    paper.pending("ipad-b", "c1", in_error=False, user_id="jon")
    assert rows(paper, "pending_backlog", "object", "records", "devices", "in_error", "blocked", "oldest_hours") == [
        ("call2__v", 2, 2, 1, 1, 6.0), ("call2_sample__v", 2, 1, 0, 0, 6.0), ("account__v", 1, 1, 0, 0, 6.0),
    ]  # fmt: skip
    columns = ("cause", "records", "stopped", "devices", "users", "dependents", "oldest_hours")
    assert rows(paper, "records_at_risk", *columns) == [("record-locked", 1, 0, 1, 1, 2, 6.0)]


def test_devices_that_fail_stop_or_update(paper: Paper) -> None:
    """Noon of Monday the 20th is the reference time.

    ipad-a: last success Monday the 13th at 08:00, then 3 failures until the 14th at 20:00: stuck for 36 hours, and
    silent: 6 syncs with a median pause of 6 hours, no attempt for 136 hours. ipad-b synced at noon.
    """
    for at in ("12 08:00", "12 14:00", "13 08:00"):
        paper.sync(f"2026-04-{at}", device_id="ipad-a", version__v="26.0")
    for at in ("14 08:00", "14 14:00", "14 20:00"):
        paper.sync(f"2026-04-{at}", "bad", device_id="ipad-a", version__v="26.0")
    paper.sync("2026-04-20 12:00", user="jon", device_id="ipad-b", version__v="26.1")
    columns = ("device", "attempts_since", "failures_since", "hours_stuck")
    assert rows(paper, "stuck_devices", *columns) == [("ipad-a", 3, 3, 36.0)]
    # Pauses: 6, 18, 24, 6 and 6 hours; the median is 6.
    assert rows(paper, "silent_devices", "device", "syncs", "usual_pause_hours", "hours_silent") == [
        ("ipad-a", 6, 6.0, 136.0)
    ]
    # In the last 24 hours: one sync, on 26.1. 26.0 had all syncs of its days.
    assert rows(paper, "version_adoption", "app_version", "syncs", "share_24h", "best_day_share", "stage") == [
        ("26.0", 6, 0.0, 1.0, "replaced"), ("26.1", 1, 1.0, 1.0, "adopted"),
    ]  # fmt: skip
    assert rows(paper, "freshness", "age", "devices") == [("within 1 day", 1), ("over 7 days", 1)]


def test_the_risk_of_a_version(paper: Paper) -> None:
    """One day: 26.1 fails 2 of 4, 26.0 fails 1 of 8. With 0.5 added as in the file:

    observed 2 * 8/12 + 0.5 * 8/12 = 5/3, expected 1 * 4/12 + 0.5 * 4/12 = 1/2: ratio 10/3. 12 syncs are too few.
    """
    for number in range(12):
        version = "26.1" if number < 4 else "26.0"
        paper.sync(f"{MONDAY} {number:02}:00", "bad" if number in (0, 1, 4) else "ok", version__v=version)
    columns = (
        "app_version",
        "syncs",
        "failures",
        "failure_rate",
        "other_failure_rate",
        "risk_ratio",
        "enough",
    )
    assert rows(paper, "version_risk", *columns)[0] == ("26.1", 4, 2, 0.5, 1 / 8, 10 / 3, False)


def test_every_metric_is_worked_on_paper() -> None:
    text = open(__file__, encoding="utf-8").read()  # noqa: PTH123, SIM115
    assert [name for name in METRICS if f'"{name}"' not in text] == []
