"""The days of a seeded Vault end on the day of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from sync_engine.simulator.fleet.scenario import load_scenario
from sync_engine.vault_api import seed_data


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (datetime(2027, 1, 1, 0, 0, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2028, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (
            datetime(2027, 6, 5, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            datetime(2027, 6, 4, tzinfo=UTC),
        ),
    ],
)
def test_the_days_end_at_the_last_midnight(tmp_path: Path, now: datetime, end: datetime) -> None:
    path = tmp_path / "vault.sqlite"
    at = seed_data.create_seeded_vault(path, load_scenario("calm"), seed=2, devices=1, days=1, now=now)
    assert datetime.fromtimestamp(at, UTC) == end
    vault = seed_data.open_vault(path)
    (newest,) = vault.db.execute("SELECT max(modified) FROM tracking").fetchone()
    assert at - 86_400 < newest <= at
    vault.db.close()
