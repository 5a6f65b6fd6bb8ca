"""Export the main figures in the Prometheus text format (exposition format 0.0.4)."""

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
    """Return the main figures of the store, one metric family after the other, in a fixed order.

    Counts of syncs and errors cover the rows in the store, so they decrease when old rows are deleted: they are
    gauges, not counters. An unknown figure is left out instead of zero.
    """
    fleet = health(connection, **filters)
    families = [
        ("synclens_syncs", "Tracked syncs in the store, by outcome.", _outcomes(fleet.to_dict())),
        ("synclens_success_ratio", "Share of finished syncs that completed.", _one(fleet.success_rate)),
        ("synclens_clean_ratio", "Share of finished syncs without a refused record.", _one(fleet.clean_rate)),
        ("synclens_devices", "Devices with a tracked sync.", _one(fleet.devices)),
        ("synclens_devices_with_failure", "Devices with a failed sync.", _one(fleet.devices_with_failure)),
        (
            "synclens_errors",
            "Error events, by cause.",
            _rows(connection, "errors_by_cause", "events", filters),
        ),
        ("synclens_issues", "Issues.", _one(fleet.all_issues)),
        (
            "synclens_stuck_devices",
            "Devices that keep failing to sync.",
            _count(connection, "stuck_devices", filters),
        ),
        (
            "synclens_silent_devices",
            "Devices that stopped syncing.",
            _count(connection, "silent_devices", filters),
        ),
        (
            "synclens_records_at_risk",
            "Pending records that an issue blocks, by cause.",
            _rows(connection, "records_at_risk", "records", filters),
        ),
        ("synclens_slo_burn", "Lower bound of the burn rate of each objective.", _burns(connection, filters)),
    ]
    return "".join(_family(name, help_text, samples) for name, help_text, samples in families)


def _family(name: str, help_text: str, samples: Iterable[Sample]) -> str:
    lines = [f"{name}{_labels(labels)} {value:.10g}" for labels, value in samples if not isnan(value)]
    return "\n".join([f"# HELP {name} {help_text}", f"# TYPE {name} gauge", *lines]) + "\n" if lines else ""


def _labels(labels: Mapping[str, object]) -> str:
    inside = ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _one(value: float | None) -> list[Sample]:
    return [] if value is None else [({}, float(value))]


def _outcomes(health_values: Mapping[str, object]) -> list[Sample]:
    return [
        ({"outcome": name}, float(str(health_values[name])))
        for name in ("good", "bad", "canceled", "unfinished")
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
