"""What a scenario can fault. Each kind is a function of the fleet; what it breaks, it takes the blame for."""

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
from sync_engine.simulator.fleet.scenario import Fault
from sync_engine.simulator.scheduler import Sleep
from sync_engine.vault import admin, records
from sync_engine.vmoc import vmoc


def schedule_faults(fleet: Fleet) -> None:
    """Schedule everything that the scenario faults within the days that are played."""
    for fault in fleet.scenario.faults:
        if fault.day < fleet.days:
            fleet.later(_grow(fleet, fault), fault.day, fault.hour)


async def _grow(fleet: Fleet, fault: Fault) -> None:
    await Sleep(0.0)
    rng = Random(f"{fleet.seed}/plant/{fault.name}")
    undo = KINDS[fault.kind](fleet, fault, rng)
    if fault.days is not None and undo is not None:
        await Sleep(fault.days * DAY)
        undo()


def _set_name(fault: Fault) -> str:
    return str(fault.options.get("permission_set", PERMISSION_SETS[0]))


def _metadata_api(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    return _application(
        fleet, fault, "metadata_api", True, f"permission_set/{_set_name(fault)}//metadata_api"
    )


def _api_off(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    return _application(fleet, fault, "api", False, f"permission_set/{_set_name(fault)}//")


def _application(fleet: Fleet, fault: Fault, key: str, value: bool, blame: str) -> Undo:
    name, vault = _set_name(fault), fleet.vault
    change_id = admin.set_in_permission_set(vault, name, key, value, at=fleet.scheduler.now)
    fleet.blame(fault, blame, change_id)
    return lambda: admin.set_in_permission_set(vault, name, key, not value, at=fleet.scheduler.now)


def _object_right(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    name, target, right = _set_name(fault), fault.options["object"], fault.options["right"]
    change_id = admin.set_object_right(fleet.vault, name, target, right, False, at=fleet.scheduler.now)
    fleet.blame(fault, f"permission_set/{name}/{target}/", change_id)
    return lambda: admin.set_object_right(fleet.vault, name, target, right, True, at=fleet.scheduler.now)


def _field_right(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    name, target, field = _set_name(fault), fault.options["object"], fault.options["field"]
    right = fault.options.get("right", "edit")
    change_id = admin.set_field_right(fleet.vault, name, target, field, right, False, at=fleet.scheduler.now)
    fleet.blame(fault, f"permission_set/{name}/{target}/{field}", change_id)
    fleet.blame(fault, f"unreadable/{target}", change_id)
    return lambda: admin.set_field_right(
        fleet.vault, name, target, field, right, True, at=fleet.scheduler.now
    )


def _broken_vmoc(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    target = fault.options["object"]
    former = fleet.vault.live["vmoc"].get(target)
    wrong = (former or vmoc(target)) | fault.options.get("set", {})
    change_id = admin.set_vmoc(fleet.vault, target, wrong, at=fleet.scheduler.now)
    fleet.blame(fault, f"vmoc/{target}", change_id)
    repaired = former or wrong | {"active__v": False}
    return lambda: admin.set_vmoc(fleet.vault, target, repaired, at=fleet.scheduler.now)


def _rule(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    name, target = fault.options["rule"], fault.options["object"]
    doc = {
        "object": target,
        "refuse_when": fault.options["refuse_when"],
        "message": fault.options["message"],
        "active": True,
    }

    def switch(active: bool) -> str:
        return admin.change(
            fleet.vault, "validation_rule", name, doc | {"active": active}, at=fleet.scheduler.now,
            object_name=target, after=f"active={active}", detail=fault.options["refuse_when"],
        )  # fmt: skip

    fleet.blame(fault, f"validation_rule/{name}/{target}/", switch(True))
    return lambda: switch(False)


def _field(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    """Change a field's definition: `set` overrides parts of it, `remove` takes it away."""
    target, field = fault.options["object"], fault.options["field"]
    former = copy.deepcopy(fleet.vault.live["object"][target]["fields"][field])
    changed = None if fault.options.get("remove") else former | fault.options["set"]
    change_id = admin.set_field(fleet.vault, target, field, changed, at=fleet.scheduler.now)
    fleet.blame(fault, f"field/{target}/{target}/{field}", change_id)
    return lambda: admin.set_field(fleet.vault, target, field, former, at=fleet.scheduler.now)


def _setting(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    name = fault.options["setting"]
    former = fleet.vault.setting(name)
    change_id = admin.set_setting(fleet.vault, name, fault.options["value"], at=fleet.scheduler.now)
    fleet.blame(fault, f"setting/{name}//", change_id)
    return lambda: admin.set_setting(fleet.vault, name, former, at=fleet.scheduler.now)


def _trigger(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    target = fault.options["object"]

    def switch(active: bool) -> str:
        doc = {"active": active, "message": fault.options["message"]}
        return admin.change(
            fleet.vault, "trigger", target, doc, at=fleet.scheduler.now, object_name=target,
            after=f"active={active}", detail="Vault Java SDK code deployed",
        )  # fmt: skip

    fleet.blame(fault, f"trigger/{target}/{target}/", switch(True))
    return lambda: switch(False)


def _accounts_of(fleet: Fleet, rng: Random, share: float) -> list[str]:
    rows = fleet.vault.db.execute(
        "SELECT id FROM record WHERE object = 'account__v' AND NOT deleted ORDER BY id"
    )
    ids = [row[0] for row in rows]
    return rng.sample(ids, max(1, round(share * len(ids))))


def _realign(fleet: Fleet, fault: Fault, rng: Random) -> None:
    territories = sorted({rep.person.territory for rep in fleet.reps})
    for account in _accounts_of(fleet, rng, fault.share):
        to = rng.choice(territories)
        change_id = admin.realign(fleet.vault, [account], to, at=fleet.scheduler.now)
        fleet.blame(fault, f"record/{account}//", change_id)
        for child in _below(fleet, account):
            fleet.blame(fault, f"record/{child}//", change_id)


def _below(fleet: Fleet, record_id: str) -> list[str]:
    rows = fleet.vault.db.execute(
        "WITH RECURSIVE below (id) AS (SELECT id FROM record WHERE parent = ? UNION "
        "SELECT r.id FROM record AS r JOIN below ON r.parent = below.id) SELECT id FROM below ORDER BY id",
        (record_id,),
    )
    return [row[0] for row in rows]


def _merge(fleet: Fleet, fault: Fault, rng: Random) -> None:
    accounts = _accounts_of(fleet, rng, fault.share)
    for loser, winner in zip(accounts[::2], accounts[1::2], strict=False):
        change_id = admin.merge(fleet.vault, loser, winner, at=fleet.scheduler.now)
        fleet.blame(fault, f"record/{loser}//", change_id)


def _delete_accounts(fleet: Fleet, fault: Fault, rng: Random) -> None:
    for account in _accounts_of(fleet, rng, fault.share):
        with fleet.vault.transaction():
            change_id = admin.note(
                fleet.vault, "object", "account__v", at=fleet.scheduler.now, by="integration",
                object_name="account__v", before=account, detail="data load deleted an account",
            )  # fmt: skip
            for one in [*reversed(_below(fleet, account)), account]:
                found = records.find(fleet.vault, one)
                if found is not None:
                    records.delete(fleet.vault, found, at=fleet.scheduler.now, by="integration")
                fleet.blame(fault, f"record/{one}//", change_id)


def _lock_calls(fleet: Fleet, fault: Fault, rng: Random) -> None:
    rows = fleet.vault.db.execute(
        "SELECT id FROM record WHERE object = 'call2__v' AND NOT deleted ORDER BY id"
    )
    for (one,) in rows.fetchall():
        found = records.find(fleet.vault, one)
        if found is None or rng.random() > fault.share:
            continue
        with fleet.vault.transaction():
            records.update(
                fleet.vault, found, {"status__v": "submitted__v"}, at=fleet.scheduler.now, by="batch"
            )
        fleet.blame(fault, f"record/{one}//", None)


def _outside_edits(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """An integration writes the same fields as the reps do."""
    for account in _accounts_of(fleet, rng, fault.share):
        found = records.find(fleet.vault, account)
        if found is None:
            continue
        changes = {
            "phone__v": f"+{rng.randint(10**9, 10**10 - 1)}",
            "email__v": f"hub{rng.randint(1, 999)}@example.net",
            "specialty__v": rng.choice(["cardiology__v", "oncology__v", "neurology__v"]),
        }
        with fleet.vault.transaction():
            records.update(fleet.vault, found, changes, at=fleet.scheduler.now, by="integration")
        for name in changes:
            fleet.blame(fault, f"record/{account}//{name}", None)


def _users(fleet: Fleet, fault: Fault, rng: Random, **values: bool) -> Undo:
    reached = fleet.chosen(fault, rng)
    before = {rep.person.user_id: fleet.vault.live["user"][rep.person.user_id] for rep in reached}
    for user_id in before:
        change_id = admin.set_user(fleet.vault, user_id, at=fleet.scheduler.now, **values)
        fleet.blame(fault, f"user/{user_id}//", change_id)
        admin.revoke_sessions(fleet.vault, user_id)

    def restore() -> None:
        for user_id, doc in before.items():
            old = {name: doc[name] for name in values}
            admin.set_user(fleet.vault, user_id, at=fleet.scheduler.now, **old)

    return restore


def _expire_passwords(fleet: Fleet, fault: Fault, rng: Random) -> None:
    _users(fleet, fault, rng, password_expired=True)


def _lock_users(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    return _users(fleet, fault, rng, locked=True)


def _deactivate(fleet: Fleet, fault: Fault, rng: Random) -> Undo:
    return _users(fleet, fault, rng, active=False)


def _inactive_owner(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """A colleague leaves; reps who cover for them go on to file calls under that name."""
    name = "1000001"
    leaver = next(iter(fleet.vault.live["user"].values())) | {
        "id": name,
        "name": "Former Colleague",
        "active": False,
    }
    change_id = admin.change(
        fleet.vault, "user", name, leaver, at=fleet.scheduler.now, before="active=True", after="active=False"
    )
    fleet.blame(fault, f"user/{name}//", change_id)
    for rep in fleet.chosen(fault, rng):
        rep.notes["owner"] = name


def _duplicate_npi(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """A list handed out to reps gives one identifier for many accounts."""
    row = fleet.vault.db.execute(
        "SELECT id, json_extract(doc, '$.npi__v') FROM record WHERE object = 'account__v' ORDER BY id LIMIT 1"
    ).fetchone()
    fleet.blame(fault, f"record/{row[0]}//", None)
    for rep in fleet.chosen(fault, rng):
        rep.notes["npi"] = row[1]


def _end_sessions(fleet: Fleet, fault: Fault, rng: Random) -> None:
    fleet.blame(fault, "session", None)
    for rep in fleet.chosen(fault, rng):
        admin.revoke_sessions(fleet.vault, rep.person.user_id)


def _decoy(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """A change that harms nobody, so that not every change before an onset is its cause."""
    options = fault.options
    with fleet.vault.transaction():
        admin.note(
            fleet.vault, options["change_kind"], options["target"], at=fleet.scheduler.now, by="admin",
            object_name=options.get("object"), field=options.get("field"), scope=options.get("scope"),
            before=options.get("before"), after=options.get("after"), detail=options.get("detail"),
        )  # fmt: skip


KINDS: dict[str, Callable[[Fleet, Fault, Random], Undo | None]] = {
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
