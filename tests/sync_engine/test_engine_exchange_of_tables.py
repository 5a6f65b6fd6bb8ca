"""A whole new content takes the place of the old one: the result is as if it were copied, wherever a kill strikes."""

from __future__ import annotations

import pytest

from sync_engine.device import download
from sync_engine.protocol import Killed
from sync_engine.simulator import simulate
from sync_engine.testing import Story


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchange tables however few records have come."""
    monkeypatch.setattr(download, "MANY", 0)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("seed", range(12))
def test_faulty_worlds_hold_when_tables_are_always_exchanged(seed):
    assert simulate(seed=seed).violations == ()


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("where", ["apply.middle", "apply.commit"])
def test_a_kill_while_tables_are_exchanged_leaves_the_old_content(monkeypatch, where):
    with Story("ana") as story:
        old = story.account("Dr Ruiz")
        story.sync("ana")
        story.vault.epoch = "2"  # the Vault was rebuilt: everything comes anew
        new = story.account("Dr Wong")

        def point(name: str) -> None:
            if name == where:
                raise Killed(name)

        with monkeypatch.context() as patched:
            patched.setattr(story._env("ana"), "point", point)
            story.sync("ana")
        assert story.sees("ana", old) and story.sees("ana", new) is None
        story.sync("ana")
        assert story.sees("ana", old) and story.sees("ana", new)
        indexes = story.devices["ana"].data.execute(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'record' AND sql IS NOT NULL"
        )
        assert indexes.fetchone() == (2,)
