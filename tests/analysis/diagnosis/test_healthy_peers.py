"""Healthy peers: an injected fault of one attribute is among the first two differences."""

import numpy as np
import pytest

from analysis.diagnosis.healthy_peers import ATTRIBUTES, healthy_peers
from analysis.fleet.devices import UnknownDevice
from tests.support.synthetic import issue_id_of

CHOICES = {
    "app_version": ["25.2.4", "25.3.0", "25.3.1"],
    "model": ["iPad Pro 11", "iPad Air", "iPad 9", "iPad mini"],
    "os_version": ["17.6", "18.1", "18.3"],
    "territory": [f"DE-{n:02}" for n in range(12)],
    "security_profile": ["rep", "msl", "kam"],
    "permission_sets": ["base", "base,samples", "base,orders"],
}


def build(store, rng, fault):
    """Add 150 devices with random attributes. Devices with the faulty value fail 90 % of syncs, others 3 %."""
    attribute, value = fault
    drawn = {name: rng.choice(values, 150) for name, values in CHOICES.items()}
    is_faulty = drawn[attribute] == value
    for n in range(150):
        attributes = {name: str(values[n]) for name, values in drawn.items()}
        store.execute(
            "INSERT INTO device (device_id, as_of, user_id, platform, model, os_version, app_version, source,"
            " batch_id) VALUES ($d, TIMESTAMP '2026-03-01', $u, 'iPad', $model, $os, $app, 't', 't')",
            {
                "d": f"d{n}",
                "u": f"u{n}",
                "model": attributes["model"],
                "os": attributes["os_version"],
                "app": attributes["app_version"],
            },
        ).fetchall()
        store.execute(
            "INSERT INTO sync_user (user_id, as_of, territory, security_profile, permission_sets, source,"
            " batch_id) VALUES ($u, TIMESTAMP '2026-03-01', $t, $p, $s, 't', 't')",
            {
                "u": f"u{n}",
                "t": attributes["territory"],
                "p": attributes["security_profile"],
                "s": attributes["permission_sets"],
            },
        ).fetchall()
    names = [f"d{n}-{k}" for n in range(150) for k in range(10)]
    failed = rng.random(1500) < np.where(np.repeat(is_faulty, 10), 0.9, 0.03)
    store.execute(
        "INSERT INTO sync_tracking__v (id, created_by__v, sync_start_datetime__v, sync_completed_datetime__v,"
        " successful_sync__v, version__v, source, batch_id)"
        " SELECT i, replace(split_part(i, '-', 1), 'd', 'u'), TIMESTAMP '2026-03-02', TIMESTAMP '2026-03-02',"
        " NOT f, v, 't', 't' FROM (SELECT unnest($i) AS i, unnest($f) AS f, unnest($v) AS v)",
        {"i": names, "f": failed.tolist(), "v": np.repeat(drawn["app_version"], 10).tolist()},
    ).fetchall()
    store.execute(
        "INSERT INTO sync_detail (sync_id, user_id, device_id, source, batch_id)"
        " SELECT i, replace(split_part(i, '-', 1), 'd', 'u'), split_part(i, '-', 1), 't', 't'"
        " FROM (SELECT unnest($i) AS i)",
        {"i": names},
    ).fetchall()
    return f"d{int(np.flatnonzero(is_faulty)[0])}"


def test_an_injected_fault_is_among_the_first_two_differences(store):
    rng = np.random.default_rng(21)
    single = ("app_version", "model", "os_version", "permission_sets", "security_profile")
    faults = [(name, value) for name in single for value in CHOICES[name][:2]]
    match_count = 0
    for fault in faults:
        for table in ("device", "sync_user", "sync_tracking__v", "sync_detail"):
            store.execute(f"DELETE FROM {table}").fetchall()
        result = healthy_peers(store, build(store, rng, fault))
        assert result.affected
        match_count += fault[0] in result.differences.attribute.head(2).to_list()
    assert match_count >= 0.9 * len(faults)


def test_the_smallest_set_distinguishes_the_device_from_every_healthy_one(store):
    result = healthy_peers(store, build(store, np.random.default_rng(3), ("os_version", "18.1")))
    assert result.smallest_set[0] == "os_version"
    assert len(result.smallest_set) <= 3


def test_peers_are_healthy_and_similar(stormy_store):
    issue_id = issue_id_of("signature-edit-lost")
    (name,) = stormy_store.execute(
        "SELECT device_id FROM error WHERE issue_id = ? ORDER BY occurred_at LIMIT 1", [issue_id]
    ).fetchall()[0]
    result = healthy_peers(stormy_store, name, issue_id=issue_id)
    assert result.affected
    assert result.peers.shared.is_monotonic_decreasing
    assert name not in result.peers.device.to_list()
    assert result.differences.attribute.isin(ATTRIBUTES).all()
    # Only Germany lost the permission, and only German users have the German permission set.
    assert {"country", "permission_sets", "time_zone", "language"} & set(result.differences.attribute.head(4))


def test_an_unknown_device_raises_an_error(store):
    with pytest.raises(UnknownDevice):
        healthy_peers(store, "nobody")
