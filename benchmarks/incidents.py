"""Measure incidents: planted faults in few incidents, and no incident from coincidence.

    python -m benchmarks.incidents faults [--seeds 11,12] [--scenarios demo,storm] [--devices 30] [--days 14]
    python -m benchmarks.incidents quiet [--seeds 101,102] [--devices 30] [--days 14] [--shuffles 20]

`faults` simulates each scenario with each seed and counts, for each planted fault, the incidents and single issues
with its errors (top-level items). `quiet` counts incidents in the scenario without faults, and in stores whose issues
were moved by a random number of days and to random devices, so that only coincidence puts them together. Development
seeds are below 1,000; figures are reported for seeds that were not used before.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
from duckdb import DuckDBPyConnection

from analysis.findings import update_findings
from analysis.incidents.incidents import find_incidents, incident_by_issue
from benchmarks.context import open_benchmark_store, simulate
from sync_engine.simulator.fleet.scenario import SCENARIOS

MOST_ITEMS = 3
_FAULTS = """
SELECT t.injected_by, e.issue_id, count(*) AS errors
FROM engine_truth.event_cause AS t JOIN error AS e ON e.event_id = t.event_id
WHERE t.injected_by <> 'everyday use' GROUP BY ALL ORDER BY ALL
"""


def simulated_stores(
    scenarios: Sequence[str], seeds: Sequence[int], devices: int, days: int
) -> Iterator[tuple[str, int, DuckDBPyConnection]]:
    """Yield a store with findings for each scenario and seed; it is closed when the next one is requested."""
    for seed in seeds:
        for name in scenarios:
            with closing(open_benchmark_store()) as store:
                simulate(store, name, seed, devices, days)
                update_findings(store)
                yield name, seed, store


def count_items(store: DuckDBPyConnection) -> dict[str, int]:
    """Return for each planted fault how many incidents and single issues hold its errors."""
    incidents = incident_by_issue(find_incidents(store))
    items: defaultdict[str, set[str]] = defaultdict(set)
    for fault, issue_id, _ in store.execute(_FAULTS).fetchall():
        incident = incidents.get(issue_id)
        items[fault].add(issue_id if incident is None else incident.incident_id)
    return {fault: len(names) for fault, names in items.items()}


def shuffle(store: DuckDBPyConnection, seed: int, days: int) -> None:
    """Move each issue by a random number of days, around the period, and to random devices and their users."""
    rng = np.random.default_rng(seed)
    first = store.execute("SELECT min(occurred_at)::DATE FROM sync_error").fetchall()[0][0]
    devices = store.execute(
        "SELECT device_id, any_value(user_id) FROM sync_error WHERE device_id IS NOT NULL GROUP BY 1 "
        "UNION SELECT device_id, any_value(user_id) FROM current_device GROUP BY 1 ORDER BY 1"
    ).fetchall()
    names = sorted({name for name, _ in devices})
    owner = dict(devices)
    for (issue_id,) in store.execute("SELECT DISTINCT issue_id FROM finding ORDER BY 1").fetchall():
        moved = dict(zip(names, rng.permutation(names).tolist(), strict=True))
        rows = [(old, new, owner[new]) for old, new in moved.items()]
        store.execute("CREATE OR REPLACE TEMP TABLE moved (old VARCHAR, new VARCHAR, owner VARCHAR)")
        store.executemany("INSERT INTO moved VALUES (?, ?, ?)", rows)
        store.execute(
            """
            UPDATE sync_error SET device_id = m.new, user_id = m.owner, occurred_at = $first::TIMESTAMP
                + to_microseconds((epoch_us(occurred_at - $first::TIMESTAMP) + $shift * 86400000000)
                    % ($days * 86400000000))
            FROM moved AS m WHERE m.old = sync_error.device_id
                AND event_id IN (SELECT event_id FROM finding WHERE issue_id = $issue)
            """,
            {"first": first, "shift": int(rng.integers(0, days)), "days": days, "issue": issue_id},
        )


def measure_faults(options: argparse.Namespace) -> None:
    """Print the share of planted faults in at most MOST_ITEMS top-level items, and those above."""
    counts: list[int] = []
    for name, seed, store in simulated_stores(
        options.scenarios, options.seeds, options.devices, options.days
    ):
        for fault, items in count_items(store).items():
            counts.append(items)
            if items > MOST_ITEMS:
                print(f"{name} {seed}: {fault}: {items} items", flush=True)
    within = sum(items <= MOST_ITEMS for items in counts)
    print(f"{within} of {len(counts)} faults ({within / len(counts):.3f}) in at most {MOST_ITEMS} items")
    print("faults by number of items:", dict(sorted(Counter(counts).items())))


def measure_quiet(options: argparse.Namespace) -> None:
    """Print the number of incidents in stores without faults, and in shuffled stores of all scenarios."""
    calm = [
        len(find_incidents(store))
        for _, _, store in simulated_stores(["calm"], options.seeds, options.devices, options.days)
    ]
    print(
        f"calm: {sum(calm)} incidents in {len(calm)} stores, {sum(map(bool, calm))} stores with one",
        flush=True,
    )
    shuffled = []
    for number, (_, _, store) in enumerate(
        simulated_stores(options.scenarios, options.seeds[: options.shuffles], options.devices, options.days)
    ):
        shuffle(store, number, options.days)
        shuffled.append(len(find_incidents(store)))
    with_one = sum(map(bool, shuffled))
    print(f"shuffled: {sum(shuffled)} incidents in {len(shuffled)} stores, {with_one} stores with one")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the measurement that the command line selects."""
    parser = argparse.ArgumentParser(description="Measure incidents.")
    parser.add_argument("measurement", choices=["faults", "quiet"])
    parser.add_argument(
        "--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[11, 12]
    )
    parser.add_argument("--scenarios", type=lambda text: text.split(","), default=sorted(SCENARIOS))
    parser.add_argument("--devices", type=int, default=30)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--shuffles", type=int, default=2, help="seeds whose stores are shuffled")
    options = parser.parse_args(arguments)
    (measure_faults if options.measurement == "faults" else measure_quiet)(options)


if __name__ == "__main__":
    main()
