"""A broken seed is brought down to the faults that matter."""

from sync_engine.simulator.stress.faults import FaultPlan
from sync_engine.simulator.stress.mutations import MUTATIONS, apply_mutation
from sync_engine.simulator.stress.run import simulate_world
from sync_engine.simulator.stress.shrink import shrink_seed

NOISY = FaultPlan(request_loss=0.2, clock_skew=0.2, server_edit=0.2)


def test_a_broken_seed_keeps_only_the_fault_that_breaks_it():
    bug = next(one for one in MUTATIONS if one.name == "retries are not counted")
    played: list[int] = []
    with apply_mutation(bug):
        shrunk = shrink_seed(2, NOISY, on_world=played.append)
        assert shrunk is not None
        assert list(shrunk.faults) == ["request_loss"]
        again = simulate_world(seed=2, plan=shrunk.plan).violations
    assert shrunk.violations == tuple(one for one in again if one.invariant == "I7")
    assert len(played) == shrunk.worlds - 2
    assert str(shrunk).startswith("seed 2 still breaks with request_loss=0.200: I7: ")


def test_a_bug_that_needs_no_fault_is_said_to_need_none():
    bug = next(one for one in MUTATIONS if one.name == "uploads are counted per transaction")
    with apply_mutation(bug):
        shrunk = shrink_seed(0, FaultPlan(server_edit=0.1))
    assert shrunk is not None
    assert shrunk.faults == {}
    assert "with no fault at all" in str(shrunk)


def test_a_seed_that_holds_has_nothing_to_shrink():
    assert shrink_seed(3, NOISY) is None
