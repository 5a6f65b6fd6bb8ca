"""Rows for tests of context rules, all around one noon, and the finding of an error in them."""

from datetime import UTC, datetime, timedelta

import analysis
import ingest
from sync_engine.telemetry import ConfigChange, SyncDetail, SyncError, SyncTracking, SyncUser

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
NO_ACCESS = {"error_type": "INSUFFICIENT_ACCESS", "message": "You do not have access"}
NOTHING = {"error_type": "FAILED", "message": "The operation failed"}


def error(n, *, at=AT, **more):
    values = {"user_id": f"u{n}", "device_id": f"d{n}", "phase": "upload"}
    return SyncError(event_id=f"e{n}-{at:%d%H%M%S}", occurred_at=at, **values | more)


def synced(n, *, at=AT, ok=True, version="253.0.1", network="wifi", saved=None, uploads=3):
    """Return one tracked sync of user and device number n, with its details."""
    name = f"s{n}-{at:%d%H%M%S}"
    tracked = SyncTracking(
        id=name,
        created_by__v=f"u{n}",
        created_date__v=saved or at,
        sync_start_datetime__v=at,
        sync_completed_datetime__v=at + timedelta(minutes=1),
        successful_sync__v=ok,
        upload_processed__v=True,
        number_of_uploads__v=uploads,
        version__v=version,
    )
    return [tracked, SyncDetail(sync_id=name, device_id=f"d{n}", user_id=f"u{n}", network_type=network)]


def change(kind, target, *, at=AT - timedelta(days=1), **more):
    return ConfigChange(
        change_id=f"{kind}-{target}-{more.get('field')}-{at:%d%H%M}",
        changed_at=at,
        kind=kind,
        target=target,
        **more,
    )


def member(n, sets):
    return SyncUser(
        user_id=f"u{n}", as_of=AT - timedelta(days=9), permission_sets=sets, email=f"u{n}@example.com"
    )


def find_cause(store, *rows, n=0, at=AT):
    """Load the rows, update the findings, and return cause, confidence and evidence of error number n."""
    ingest.append(store, rows, source="t", started_at=AT, clock=lambda: AT)
    analysis.update_findings(store)
    cause, confidence, evidence = store.execute(
        "SELECT cause, confidence, evidence FROM finding WHERE event_id = $id", {"id": f"e{n}-{at:%d%H%M%S}"}
    ).fetchone()
    return cause, confidence, " ".join(evidence)
