"""What a scenario can plant. Each kind is a function of the fleet; what it breaks, it takes the blame for."""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random

from sync_engine.simulator.fleet.device_faults import (
    Undo,
    clock,
    corrupt,
    go_silent,
    lever,
    roll_out,
    trouble,
)
from sync_engine.simulator.fleet.fleet import Fleet
from sync_engine.simulator.fleet.people import PERMISSION_SETS
from sync_engine.simulator.fleet.rep import DAY
from sync_engine.simulator.fleet.scenario import Plant
from sync_engine.simulator.scheduler import Sleep
from sync_engine.vault import admin, records
from sync_engine.vmoc import vmoc


def plant_all(fleet: Fleet) -> None:
    """Schedule everything that the scenario plants within the days that are played."""
    for plant in fleet.scenario.plants:
        if plant.day < fleet.days:
            fleet.later(_grow(fleet, plant), plant.day, plant.hour)


async def _grow(fleet: Fleet, plant: Plant) -> None:
    await Sleep(0.0)
    rng = Random(f"{fleet.seed}/plant/{plant.name}")
    undo = KINDS[plant.kind](fleet, plant, rng)
    if plant.days is not None and undo is not None:
        await Sleep(plant.days * DAY)
        undo()


def _set_name(plant: Plant) -> str:
    return str(plant.options.get("permission_set", PERMISSION_SETS[0]))


def _metadata_api(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    return _application(
        fleet, plant, "metadata_api", True, f"permission_set/{_set_name(plant)}//metadata_api"
    )


def _api_off(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    return _application(fleet, plant, "api", False, f"permission_set/{_set_name(plant)}//")


def _application(fleet: Fleet, plant: Plant, key: str, value: bool, blame: str) -> Undo:
    name, vault = _set_name(plant), fleet.vault
    change_id = admin.set_in_permission_set(vault, name, key, value, at=fleet.kernel.now)
    fleet.blame(plant, blame, change_id)
    return lambda: admin.set_in_permission_set(vault, name, key, not value, at=fleet.kernel.now)


def _object_right(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    name, target, right = _set_name(plant), plant.options["object"], plant.options["right"]
    change_id = admin.set_object_right(fleet.vault, name, target, right, False, at=fleet.kernel.now)
    fleet.blame(plant, f"permission_set/{name}/{target}/", change_id)
    return lambda: admin.set_object_right(fleet.vault, name, target, right, True, at=fleet.kernel.now)


def _field_right(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    name, target, field = _set_name(plant), plant.options["object"], plant.options["field"]
    right = plant.options.get("right", "edit")
    change_id = admin.set_field_right(fleet.vault, name, target, field, right, False, at=fleet.kernel.now)
    fleet.blame(plant, f"permission_set/{name}/{target}/{field}", change_id)
    fleet.blame(plant, f"unreadable/{target}", change_id)
    return lambda: admin.set_field_right(fleet.vault, name, target, field, right, True, at=fleet.kernel.now)


def _broken_vmoc(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    target = plant.options["object"]
    former = fleet.vault.live["vmoc"].get(target)
    wrong = (former or vmoc(target)) | plant.options.get("set", {})
    change_id = admin.set_vmoc(fleet.vault, target, wrong, at=fleet.kernel.now)
    fleet.blame(plant, f"vmoc/{target}", change_id)
    repaired = former or wrong | {"active__v": False}
    return lambda: admin.set_vmoc(fleet.vault, target, repaired, at=fleet.kernel.now)


def _rule(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    name, target = plant.options["rule"], plant.options["object"]
    doc = {
        "object": target,
        "refuse_when": plant.options["refuse_when"],
        "message": plant.options["message"],
        "active": True,
    }

    def switch(active: bool) -> str:
        return admin.change(
            fleet.vault, "validation_rule", name, doc | {"active": active}, at=fleet.kernel.now,
            object_name=target, after=f"active={active}", detail=plant.options["refuse_when"],
        )  # fmt: skip

    fleet.blame(plant, f"validation_rule/{name}/{target}/", switch(True))
    return lambda: switch(False)


def _field(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    """Change a field's definition: `set` overrides parts of it, `remove` takes it away."""
    target, field = plant.options["object"], plant.options["field"]
    former = copy.deepcopy(fleet.vault.live["object"][target]["fields"][field])
    changed = None if plant.options.get("remove") else former | plant.options["set"]
    change_id = admin.set_field(fleet.vault, target, field, changed, at=fleet.kernel.now)
    fleet.blame(plant, f"field/{target}/{target}/{field}", change_id)
    return lambda: admin.set_field(fleet.vault, target, field, former, at=fleet.kernel.now)


def _setting(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    name = plant.options["setting"]
    former = fleet.vault.setting(name)
    change_id = admin.set_setting(fleet.vault, name, plant.options["value"], at=fleet.kernel.now)
    fleet.blame(plant, f"setting/{name}//", change_id)
    return lambda: admin.set_setting(fleet.vault, name, former, at=fleet.kernel.now)


def _trigger(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    target = plant.options["object"]

    def switch(active: bool) -> str:
        doc = {"active": active, "message": plant.options["message"]}
        return admin.change(
            fleet.vault, "trigger", target, doc, at=fleet.kernel.now, object_name=target,
            after=f"active={active}", detail="Vault Java SDK code deployed",
        )  # fmt: skip

    fleet.blame(plant, f"trigger/{target}/{target}/", switch(True))
    return lambda: switch(False)


def _accounts_of(fleet: Fleet, rng: Random, share: float) -> list[str]:
    rows = fleet.vault.db.execute(
        "SELECT id FROM record WHERE object = 'account__v' AND NOT deleted ORDER BY id"
    )
    ids = [row[0] for row in rows]
    return rng.sample(ids, max(1, round(share * len(ids))))


def _realign(fleet: Fleet, plant: Plant, rng: Random) -> None:
    territories = sorted({rep.person.territory for rep in fleet.reps})
    for account in _accounts_of(fleet, rng, plant.share):
        to = rng.choice(territories)
        change_id = admin.realign(fleet.vault, [account], to, at=fleet.kernel.now)
        fleet.blame(plant, f"record/{account}//", change_id)
        for child in _below(fleet, account):
            fleet.blame(plant, f"record/{child}//", change_id)


def _below(fleet: Fleet, record_id: str) -> list[str]:
    rows = fleet.vault.db.execute(
        "WITH RECURSIVE below (id) AS (SELECT id FROM record WHERE parent = ? UNION "
        "SELECT r.id FROM record AS r JOIN below ON r.parent = below.id) SELECT id FROM below ORDER BY id",
        (record_id,),
    )
    return [row[0] for row in rows]


def _merge(fleet: Fleet, plant: Plant, rng: Random) -> None:
    accounts = _accounts_of(fleet, rng, plant.share)
    for loser, winner in zip(accounts[::2], accounts[1::2], strict=False):
        change_id = admin.merge(fleet.vault, loser, winner, at=fleet.kernel.now)
        fleet.blame(plant, f"record/{loser}//", change_id)


def _delete_accounts(fleet: Fleet, plant: Plant, rng: Random) -> None:
    for account in _accounts_of(fleet, rng, plant.share):
        with fleet.vault.transaction():
            change_id = admin.note(
                fleet.vault, "object", "account__v", at=fleet.kernel.now, by="integration",
                object_name="account__v", before=account, detail="data load deleted an account",
            )  # fmt: skip
            for one in [*reversed(_below(fleet, account)), account]:
                found = records.find(fleet.vault, one)
                if found is not None:
                    records.delete(fleet.vault, found, at=fleet.kernel.now, by="integration")
                fleet.blame(plant, f"record/{one}//", change_id)


def _lock_calls(fleet: Fleet, plant: Plant, rng: Random) -> None:
    rows = fleet.vault.db.execute(
        "SELECT id FROM record WHERE object = 'call2__v' AND NOT deleted ORDER BY id"
    )
    for (one,) in rows.fetchall():
        found = records.find(fleet.vault, one)
        if found is None or rng.random() > plant.share:
            continue
        with fleet.vault.transaction():
            records.update(fleet.vault, found, {"status__v": "submitted__v"}, at=fleet.kernel.now, by="batch")
        fleet.blame(plant, f"record/{one}//", None)


def _outside_edits(fleet: Fleet, plant: Plant, rng: Random) -> None:
    """An integration writes the same fields as the reps do."""
    for account in _accounts_of(fleet, rng, plant.share):
        found = records.find(fleet.vault, account)
        if found is None:
            continue
        changes = {
            "phone__v": f"+{rng.randint(10**9, 10**10 - 1)}",
            "email__v": f"hub{rng.randint(1, 999)}@example.net",
            "specialty__v": rng.choice(["cardiology__v", "oncology__v", "neurology__v"]),
        }
        with fleet.vault.transaction():
            records.update(fleet.vault, found, changes, at=fleet.kernel.now, by="integration")
        for name in changes:
            fleet.blame(plant, f"record/{account}//{name}", None)


def _users(fleet: Fleet, plant: Plant, rng: Random, **values: bool) -> Undo:
    reached = fleet.chosen(plant, rng)
    before = {rep.person.user_id: fleet.vault.live["user"][rep.person.user_id] for rep in reached}
    for user_id in before:
        change_id = admin.set_user(fleet.vault, user_id, at=fleet.kernel.now, **values)
        fleet.blame(plant, f"user/{user_id}//", change_id)
        admin.revoke_sessions(fleet.vault, user_id)

    def restore() -> None:
        for user_id, doc in before.items():
            old = {name: doc[name] for name in values}
            admin.set_user(fleet.vault, user_id, at=fleet.kernel.now, **old)

    return restore


def _expire_passwords(fleet: Fleet, plant: Plant, rng: Random) -> None:
    _users(fleet, plant, rng, password_expired=True)


def _lock_users(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    return _users(fleet, plant, rng, locked=True)


def _deactivate(fleet: Fleet, plant: Plant, rng: Random) -> Undo:
    return _users(fleet, plant, rng, active=False)


def _inactive_owner(fleet: Fleet, plant: Plant, rng: Random) -> None:
    """A colleague leaves; reps who cover for them go on to file calls under that name."""
    name = "1000001"
    leaver = next(iter(fleet.vault.live["user"].values())) | {
        "id": name,
        "name": "Former Colleague",
        "active": False,
    }
    change_id = admin.change(
        fleet.vault, "user", name, leaver, at=fleet.kernel.now, before="active=True", after="active=False"
    )
    fleet.blame(plant, f"user/{name}//", change_id)
    for rep in fleet.chosen(plant, rng):
        rep.notes["owner"] = name


def _duplicate_npi(fleet: Fleet, plant: Plant, rng: Random) -> None:
    """A list handed out to reps gives one identifier for many accounts."""
    row = fleet.vault.db.execute(
        "SELECT id, json_extract(doc, '$.npi__v') FROM record WHERE object = 'account__v' ORDER BY id LIMIT 1"
    ).fetchone()
    fleet.blame(plant, f"record/{row[0]}//", None)
    for rep in fleet.chosen(plant, rng):
        rep.notes["npi"] = row[1]


def _end_sessions(fleet: Fleet, plant: Plant, rng: Random) -> None:
    fleet.blame(plant, "session", None)
    for rep in fleet.chosen(plant, rng):
        admin.revoke_sessions(fleet.vault, rep.person.user_id)


def _decoy(fleet: Fleet, plant: Plant, rng: Random) -> None:
    """A change that harms nobody, so that not every change before an onset is its cause."""
    options = plant.options
    with fleet.vault.transaction():
        admin.note(
            fleet.vault, options["change_kind"], options["target"], at=fleet.kernel.now, by="admin",
            object_name=options.get("object"), field=options.get("field"), scope=options.get("scope"),
            before=options.get("before"), after=options.get("after"), detail=options.get("detail"),
        )  # fmt: skip


KINDS: dict[str, Callable[[Fleet, Plant, Random], Undo | None]] = {
    "metadata_api": _metadata_api,
    "api_off": _api_off,
    "object_right": _object_right,
    "field_right": _field_right,
    "broken_vmoc": _broken_vmoc,
    "rule": _rule,
    "field": _field,
    "setting": _setting,
    "trigger": _trigger,
    "realign": _realign,
    "merge": _merge,
    "delete_accounts": _delete_accounts,
    "lock_calls": _lock_calls,
    "outside_edits": _outside_edits,
    "expire_passwords": _expire_passwords,
    "lock_users": _lock_users,
    "deactivate": _deactivate,
    "inactive_owner": _inactive_owner,
    "duplicate_npi": _duplicate_npi,
    "end_sessions": _end_sessions,
    "roll_out": roll_out,
    "trouble": trouble,
    "clock": clock,
    "silence": go_silent,
    "lever": lever,
    "corrupt": corrupt,
    "decoy": _decoy,
}
