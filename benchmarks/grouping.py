"""Score the grouping on public log sets: GA and FGA per set, stability under shuffling, and speed.

    python benchmarks/grouping.py [FOLDER]

FOLDER holds `templates/*.csv.gz` with the columns message and template_id (default: SYNCLENS_BENCH, else
../shared/bench). One configuration for all sets. GA is the share of messages whose group is exactly the true
one; FGA is F1 over groups. Drain3 with its defaults runs beside ours.
"""

from __future__ import annotations

import csv
import gzip
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig

from analysis.grouping.issue_ids import group

Groups = Sequence[str | int]
ORDERS = 3
MESSAGES = 1_000_000
TEMPLATES = 5_000


def accuracy(predicted: Groups, truth: Groups) -> tuple[float, float]:
    """Return GA and FGA of a partition against the true one."""
    predicted_groups, true_groups = _members(predicted), _members(truth)
    right = set(predicted_groups) & set(true_groups)
    grouped = sum(len(members) for members in right) / len(truth)
    return grouped, 2 * len(right) / (len(predicted_groups) + len(true_groups))


def _members(groups: Groups) -> list[frozenset[int]]:
    members: dict[str | int, set[int]] = {}
    for index, group_id in enumerate(groups):
        members.setdefault(group_id, set()).add(index)
    return [frozenset(indexes) for indexes in members.values()]


def drain(messages: Sequence[str]) -> list[int]:
    """Group by Drain3 as shipped."""
    miner = TemplateMiner(config=TemplateMinerConfig())
    return [int(miner.add_log_message(message)["cluster_id"]) for message in messages]


def stable(messages: Sequence[str]) -> bool:
    """Return whether shuffled messages keep their ids."""
    expected = dict(zip(messages, group(messages), strict=True))
    dice = random.Random(1)
    for _ in range(ORDERS):
        shuffled = dice.sample(messages, len(messages))
        if dict(zip(shuffled, group(shuffled), strict=True)) != expected:
            return False
    return True


def sets(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Read the sets: name, messages, true groups."""
    for path in sorted((folder / "templates").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        yield path.name.split(".")[0], [r["message"] for r in rows], [r["template_id"] for r in rows]


def many(count: int, kinds: int) -> list[str]:
    """Make `count` messages of `kinds` templates; ids and numbers differ in each message."""
    dice = random.Random(2)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(2000)]
    shapes = [" ".join(dice.choices(words, k=8)) for _ in range(kinds)]
    return [
        f"{shapes[i % kinds]} record V4W{i:012d} failed after {dice.randrange(9999)} ms" for i in range(count)
    ]


def mixed(count: int, kinds: int) -> list[str]:
    """Make messages of `kinds` templates with two values each, of a dozen shapes."""
    dice = random.Random(3)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(500)]
    shapes = [dice.choices(words, k=7) for _ in range(kinds)]
    messages = []
    for number in range(count):
        first, second = (_make_value(dice) for _ in range(2))
        words = shapes[number % kinds]
        messages.append(" ".join([*words[:3], first, *words[3:], second]))
    return messages


def _make_value(dice: random.Random) -> str:
    number, code = dice.randrange(10**6), f"{dice.getrandbits(64):016x}"
    return dice.choice([
        f"{number}", f"{number / 100:.2f} MB", f"2026-03-{number % 28 + 1:02} 10:{number % 60:02}",
        f"{number % 28 + 1}. Mai 2026 um 9:{number % 60:02} Uhr", code, f"V4W{code[:12].upper()}",
        f'"{code[:5]} {code[5:9]}"',
        f"https://h{number % 99}.example/{code}", f"u{number}@mail.example", f"10.0.{number % 255}.{number % 99}:443",
        f"/var/mobile/{code}.db", f"{code[:8]}-{code[8:12]}-4abc-8def-{code[4:]}",
        f"{number % 90} Minuten", "call2__v",
    ])  # fmt: skip


def per_second(how: Callable[[Sequence[str]], object], messages: Sequence[str]) -> float:
    """Measure messages a second of processor time."""
    started = time.process_time()
    how(messages)
    return len(messages) / (time.process_time() - started)


def main() -> None:
    """Print the scores."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SYNCLENS_BENCH", "../shared/bench"))
    if not (folder / "templates").is_dir():
        sys.exit(f"no templates/ in {folder}: give the folder of the benchmark data, or set SYNCLENS_BENCH")
    own_scores, drain_scores = [], []
    print(f"{'set':12} {'GA':>6} {'FGA':>6} {'stable':>7} {'Drain3 GA':>10} {'FGA':>6}")
    for name, messages, truth in sets(folder):
        own_score, drain_score = accuracy(group(messages), truth), accuracy(drain(messages), truth)
        own_scores.append(own_score)
        drain_scores.append(drain_score)
        steady = "yes" if stable(messages) else "NO"
        own, drain3 = (
            f"{own_score[0]:6.3f} {own_score[1]:6.3f}",
            f"{drain_score[0]:10.3f} {drain_score[1]:6.3f}",
        )
        print(f"{name:12} {own} {steady:>7} {drain3}")
    means = [fmean(values) for values in (*zip(*own_scores, strict=True), *zip(*drain_scores, strict=True))]
    print(f"{'mean':12} {means[0]:6.3f} {means[1]:6.3f} {'':7} {means[2]:10.3f} {means[3]:6.3f}")
    load = many(MESSAGES, TEMPLATES)
    print(f"{per_second(group, load):,.0f} messages/s on {MESSAGES:,} of {TEMPLATES:,} templates; ", end="")
    values = mixed(MESSAGES // 4, TEMPLATES // 20)
    print(f"{per_second(group, values):,.0f} on {len(values):,} with values of many shapes; ", end="")
    print(f"Drain3 on the first 20,000 of them: {per_second(drain, load[:20_000]):,.0f} messages/s")


if __name__ == "__main__":
    main()
