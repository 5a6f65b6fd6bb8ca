"""The main figures as text that Prometheus reads (exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isnan

from duckdb import DuckDBPyConnection

from analysis.alerting.slo import slo_status
from analysis.issues.health import health
from analysis.metrics.registry import measure

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, object], float]


def prometheus_text(connection: DuckDBPyConnection, **filters: object) -> str:
    """Write the main figures of the store, one family after the other, in a fixed order.

    Counts of syncs and errors are of what the store holds, so they fall when old rows are removed: they are
    gauges, not counters. A figure that nobody knows is left out rather than zero.
    """
    found = health(connection, **filters)
    families = [
        ("synclens_syncs", "Tracked syncs in the store, by how they ended.", _outcomes(found.to_dict())),
        ("synclens_success_ratio", "Share of finished syncs that succeeded.", _one(found.success_rate)),
        ("synclens_devices", "Devices with a tracked sync.", _one(found.devices)),
        ("synclens_devices_with_failure", "Devices with a failed sync.", _one(found.devices_with_failure)),
        (
            "synclens_errors",
            "Error events, by cause.",
            _rows(connection, "errors_by_cause", "events", filters),
        ),
        ("synclens_issues", "Issues.", _one(found.issues)),
        (
            "synclens_stuck_devices",
            "Devices that try and fail.",
            _count(connection, "stuck_devices", filters),
        ),
        ("synclens_silent_devices", "Devices that stopped.", _count(connection, "silent_devices", filters)),
        (
            "synclens_records_at_risk",
            "Records that wait in error, by cause.",
            _rows(connection, "records_at_risk", "records", filters),
        ),
        ("synclens_slo_burn", "Lower bound of the burn rate of each objective.", _burns(connection, filters)),
    ]
    return "".join(_family(name, about, samples) for name, about, samples in families)


def _family(name: str, about: str, samples: Iterable[Sample]) -> str:
    lines = [f"{name}{_labels(labels)} {value:.10g}" for labels, value in samples if not isnan(value)]
    return "\n".join([f"# HELP {name} {about}", f"# TYPE {name} gauge", *lines]) + "\n" if lines else ""


def _labels(labels: Mapping[str, object]) -> str:
    inside = ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _one(value: float | None) -> list[Sample]:
    return [] if value is None else [({}, float(value))]


def _outcomes(found: Mapping[str, object]) -> list[Sample]:
    return [
        ({"outcome": name}, float(str(found[name]))) for name in ("good", "bad", "canceled", "unfinished")
    ]


def _count(connection: DuckDBPyConnection, name: str, filters: Mapping[str, object]) -> list[Sample]:
    return _one(len(measure(connection, name, **filters)))


def _rows(
    connection: DuckDBPyConnection, name: str, column: str, filters: Mapping[str, object]
) -> list[Sample]:
    frame = measure(connection, name, **filters)
    return [
        ({"cause": cause}, float(value)) for cause, value in zip(frame["cause"], frame[column], strict=True)
    ]


def _burns(connection: DuckDBPyConnection, filters: Mapping[str, object]) -> list[Sample]:
    status = slo_status(connection, **filters)  # type: ignore[arg-type]
    return [
        ({"slo": row["slo"], "sync_type": row["sync_type"], "severity": row["severity"]}, row["burn_low"])
        for row in status.to_dict("records")
    ]
