"""Processor time of commands on a simulated store, and its ratio to `python -c "import duckdb, pandas"`.

    python benchmarks/cli.py [--runs 5] [--store demo.duckdb]

Without --store the fleet of `synclens demo` is simulated first (about a minute). Each command runs in a new process;
the time is user plus system time, so that other processes on the machine disturb it little. Targets: --help 0.25 s;
triage, issues and issue 1.0 s without pandas, or 1.3 times the imports with it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

IMPORTS = (sys.executable, "-c", "import duckdb, pandas")
SYNCLENS = (sys.executable, "-m", "synclens")


def main() -> None:
    """Measure each command and print one line for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs per command (default: 5)")
    parser.add_argument("--store", type=Path, help="store to use (default: simulate one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = arguments.store or simulate(Path(folder) / "demo.duckdb")
        environment = os.environ | {"SYNCLENS_STORE": str(store)}
        imports = measure(IMPORTS, environment, arguments.runs)
        print(f"{'command':<22} {'min s':>7} {'median s':>9} {'× imports':>10}")
        print_row("import duckdb, pandas", imports, imports)
        for name, options in commands(environment):
            times = measure((*SYNCLENS, name, *options), environment, arguments.runs)
            print_row(name, times, imports)


def commands(environment: dict[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the commands to measure, with ids of the store."""
    issue = read_json(("issues", "--json"), environment)[0]["issue_id"]
    details = read_json(("issue", issue, "--json"), environment)
    event, user = details["events"][0]["event_id"], details["events"][0]["user_id"]
    return [
        ("--help", ()),
        ("triage", ()),
        ("issues", ()),
        ("issue", (issue,)),
        ("suspects", (issue,)),
        ("explain-error", (event,)),
        ("history", (user,)),
        ("fleet", ()),
        ("metric", ("success_rate",)),
        ("slo", ()),
        ("lint", ()),
    ]


def simulate(path: Path) -> Path:
    """Simulate the fleet of the demo into a new store."""
    run((*SYNCLENS, "simulate", "--store", str(path), "--seed", "7", "--devices", "60", "--days", "14"))
    return path


def measure(command: Sequence[str], environment: dict[str, str], runs: int) -> list[float]:
    """Return the processor seconds of each run, after one that fills the caches."""
    run(command, environment)
    times = []
    for _ in range(runs):
        before = os.times()
        run(command, environment)
        after = os.times()
        times.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    return times


def print_row(name: str, times: list[float], imports: list[float]) -> None:
    """Print the smallest and the median time, and the ratio of the smallest to that of the imports."""
    print(f"{name:<22} {min(times):7.2f} {median(times):9.2f} {min(times) / min(imports):10.2f}", flush=True)


def read_json(words: tuple[str, ...], environment: dict[str, str]) -> list | dict:
    """Return what a command prints with --json."""
    command = (*SYNCLENS, *words)
    return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    """Run a command; `slo` and `lint` may exit with 1."""
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: {result.stderr}")


if __name__ == "__main__":
    main()
