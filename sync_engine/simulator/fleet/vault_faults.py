"""Faults that a scenario can inject. Each records the errors it causes as ground truth."""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random

from sync_engine.simulator.fleet.device_faults import (
    Revert,
    delete_local_rows,
    disturb_devices,
    roll_out_version,
    set_user_flag,
    silence_devices,
    skew_clocks,
)
from sync_engine.simulator.fleet.fleet import Fleet
from sync_engine.simulator.fleet.population import PERMISSION_SETS
from sync_engine.simulator.fleet.rep import DAY
from sync_engine.simulator.fleet.scenario import Fault
from sync_engine.simulator.scheduler import Sleep
from sync_engine.vault import admin, records
from sync_engine.vmoc import vmoc


def schedule_faults(fleet: Fleet) -> None:
    """Schedule the faults of the scenario that start within the simulated days."""
    for fault in fleet.scenario.faults:
        if fault.day < fleet.days:
            fleet.schedule(_inject(fleet, fault), fault.day, fault.hour)


async def _inject(fleet: Fleet, fault: Fault) -> None:
    await Sleep(0.0)
    rng = Random(f"{fleet.seed}/plant/{fault.name}")
    revert = INJECTORS[fault.kind](fleet, fault, rng)
    if fault.days is not None and revert is not None:
        await Sleep(fault.days * DAY)
        revert()


def _permission_set_name(fault: Fault) -> str:
    return str(fault.options.get("permission_set", PERMISSION_SETS[0]))


def _grant_metadata_api(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    return _set_application_permission(
        fleet, fault, "metadata_api", True, f"permission_set/{_permission_set_name(fault)}//metadata_api"
    )


def _revoke_api(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    return _set_application_permission(
        fleet, fault, "api", False, f"permission_set/{_permission_set_name(fault)}//"
    )


def _set_application_permission(fleet: Fleet, fault: Fault, key: str, value: bool, source: str) -> Revert:
    name, vault = _permission_set_name(fault), fleet.vault
    change_id = admin.set_application_permission(vault, name, key, value, at=fleet.scheduler.now)
    fleet.attribute(fault, source, change_id)
    return lambda: admin.set_application_permission(vault, name, key, not value, at=fleet.scheduler.now)


def _revoke_object_permission(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    name, target, right = _permission_set_name(fault), fault.options["object"], fault.options["right"]
    change_id = admin.set_object_permission(fleet.vault, name, target, right, False, at=fleet.scheduler.now)
    fleet.attribute(fault, f"permission_set/{name}/{target}/", change_id)
    return lambda: admin.set_object_permission(fleet.vault, name, target, right, True, at=fleet.scheduler.now)


def _revoke_field_permission(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    name, target, field = _permission_set_name(fault), fault.options["object"], fault.options["field"]
    right = fault.options.get("right", "edit")
    change_id = admin.set_field_permission(
        fleet.vault, name, target, field, right, False, at=fleet.scheduler.now
    )
    fleet.attribute(fault, f"permission_set/{name}/{target}/{field}", change_id)
    fleet.attribute(fault, f"unreadable/{target}", change_id)
    return lambda: admin.set_field_permission(
        fleet.vault, name, target, field, right, True, at=fleet.scheduler.now
    )


def _break_vmoc(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    target = fault.options["object"]
    previous = fleet.vault.live["vmoc"].get(target)
    changed = (previous or vmoc(target)) | fault.options.get("set", {})
    change_id = admin.set_vmoc(fleet.vault, target, changed, at=fleet.scheduler.now)
    fleet.attribute(fault, f"vmoc/{target}", change_id)
    repaired = previous or changed | {"active__v": False}
    return lambda: admin.set_vmoc(fleet.vault, target, repaired, at=fleet.scheduler.now)


def _add_validation_rule(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    name, target = fault.options["rule"], fault.options["object"]
    doc = {
        "object": target,
        "refuse_when": fault.options["refuse_when"],
        "message": fault.options["message"],
        "active": True,
    }

    def switch(active: bool) -> str:
        return admin.change_configuration(
            fleet.vault, "validation_rule", name, doc | {"active": active}, at=fleet.scheduler.now,
            object_name=target, after=f"active={active}", detail=fault.options["refuse_when"],
        )  # fmt: skip

    fleet.attribute(fault, f"validation_rule/{name}/{target}/", switch(True))
    return lambda: switch(False)


def _change_field(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    """Change a field's definition: `set` overrides parts of it, `remove` deletes it."""
    target, field = fault.options["object"], fault.options["field"]
    previous = copy.deepcopy(fleet.vault.live["object"][target]["fields"][field])
    changed = None if fault.options.get("remove") else previous | fault.options["set"]
    change_id = admin.set_field(fleet.vault, target, field, changed, at=fleet.scheduler.now)
    fleet.attribute(fault, f"field/{target}/{target}/{field}", change_id)
    return lambda: admin.set_field(fleet.vault, target, field, previous, at=fleet.scheduler.now)


def _change_setting(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    name = fault.options["setting"]
    previous = fleet.vault.setting(name)
    change_id = admin.set_setting(fleet.vault, name, fault.options["value"], at=fleet.scheduler.now)
    fleet.attribute(fault, f"setting/{name}//", change_id)
    return lambda: admin.set_setting(fleet.vault, name, previous, at=fleet.scheduler.now)


def _add_failing_trigger(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    target = fault.options["object"]

    def switch(active: bool) -> str:
        doc = {"active": active, "message": fault.options["message"]}
        return admin.change_configuration(
            fleet.vault, "trigger", target, doc, at=fleet.scheduler.now, object_name=target,
            after=f"active={active}", detail="Vault Java SDK code deployed",
        )  # fmt: skip

    fleet.attribute(fault, f"trigger/{target}/{target}/", switch(True))
    return lambda: switch(False)


def _sample_accounts(fleet: Fleet, rng: Random, share: float) -> list[str]:
    rows = fleet.vault.db.execute(
        "SELECT id FROM record WHERE object = 'account__v' AND NOT deleted ORDER BY id"
    )
    ids = [row[0] for row in rows]
    return rng.sample(ids, max(1, round(share * len(ids))))


def _realign_accounts(fleet: Fleet, fault: Fault, rng: Random) -> None:
    territories = sorted({rep.profile.territory for rep in fleet.reps})
    for account in _sample_accounts(fleet, rng, fault.share):
        territory = rng.choice(territories)
        change_id = admin.realign_accounts(fleet.vault, [account], territory, at=fleet.scheduler.now)
        fleet.attribute(fault, f"record/{account}//", change_id)
        for child in _descendants(fleet, account):
            fleet.attribute(fault, f"record/{child}//", change_id)


def _descendants(fleet: Fleet, record_id: str) -> list[str]:
    rows = fleet.vault.db.execute(
        "WITH RECURSIVE below (id) AS (SELECT id FROM record WHERE parent = ? UNION "
        "SELECT r.id FROM record AS r JOIN below ON r.parent = below.id) SELECT id FROM below ORDER BY id",
        (record_id,),
    )
    return [row[0] for row in rows]


def _merge_accounts(fleet: Fleet, fault: Fault, rng: Random) -> None:
    accounts = _sample_accounts(fleet, rng, fault.share)
    for loser, winner in zip(accounts[::2], accounts[1::2], strict=False):
        change_id = admin.merge_accounts(fleet.vault, loser, winner, at=fleet.scheduler.now)
        fleet.attribute(fault, f"record/{loser}//", change_id)


def _delete_accounts(fleet: Fleet, fault: Fault, rng: Random) -> None:
    for account in _sample_accounts(fleet, rng, fault.share):
        with fleet.vault.transaction():
            change_id = admin.write_audit_entry(
                fleet.vault, "object", "account__v", at=fleet.scheduler.now, by="integration",
                object_name="account__v", before=account, detail="data load deleted an account",
            )  # fmt: skip
            for record_id in [*reversed(_descendants(fleet, account)), account]:
                record = records.find(fleet.vault, record_id)
                if record is not None:
                    records.delete(fleet.vault, record, at=fleet.scheduler.now, by="integration")
                fleet.attribute(fault, f"record/{record_id}//", change_id)


def _lock_calls(fleet: Fleet, fault: Fault, rng: Random) -> None:
    rows = fleet.vault.db.execute(
        "SELECT id FROM record WHERE object = 'call2__v' AND NOT deleted ORDER BY id"
    )
    for (record_id,) in rows.fetchall():
        record = records.find(fleet.vault, record_id)
        if record is None or rng.random() > fault.share:
            continue
        with fleet.vault.transaction():
            records.update(
                fleet.vault, record, {"status__v": "submitted__v"}, at=fleet.scheduler.now, by="batch"
            )
        fleet.attribute(fault, f"record/{record_id}//", None)


def _write_from_integration(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """Update fields of accounts that reps also edit, as an integration."""
    for account in _sample_accounts(fleet, rng, fault.share):
        record = records.find(fleet.vault, account)
        if record is None:
            continue
        changes = {
            "phone__v": f"+{rng.randint(10**9, 10**10 - 1)}",
            "email__v": f"hub{rng.randint(1, 999)}@example.net",
            "specialty__v": rng.choice(["cardiology__v", "oncology__v", "neurology__v"]),
        }
        with fleet.vault.transaction():
            records.update(fleet.vault, record, changes, at=fleet.scheduler.now, by="integration")
        for name in changes:
            fleet.attribute(fault, f"record/{account}//{name}", None)


def _change_users(fleet: Fleet, fault: Fault, rng: Random, **values: bool) -> Revert:
    reps = fleet.select_reps(fault, rng)
    before = {rep.profile.user_id: fleet.vault.live["user"][rep.profile.user_id] for rep in reps}
    for user_id in before:
        change_id = admin.set_user(fleet.vault, user_id, at=fleet.scheduler.now, **values)
        fleet.attribute(fault, f"user/{user_id}//", change_id)
        admin.revoke_sessions(fleet.vault, user_id)

    def restore() -> None:
        for user_id, doc in before.items():
            old = {name: doc[name] for name in values}
            admin.set_user(fleet.vault, user_id, at=fleet.scheduler.now, **old)

    return restore


def _expire_passwords(fleet: Fleet, fault: Fault, rng: Random) -> None:
    _change_users(fleet, fault, rng, password_expired=True)


def _lock_users(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    return _change_users(fleet, fault, rng, locked=True)


def _deactivate_users(fleet: Fleet, fault: Fault, rng: Random) -> Revert:
    return _change_users(fleet, fault, rng, active=False)


def _file_under_inactive_owner(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """Deactivate a user whom the affected reps still set as owner of calls."""
    name = "1000001"
    leaver = next(iter(fleet.vault.live["user"].values())) | {
        "id": name,
        "name": "Former Colleague",
        "active": False,
    }
    change_id = admin.change_configuration(
        fleet.vault, "user", name, leaver, at=fleet.scheduler.now, before="active=True", after="active=False"
    )
    fleet.attribute(fault, f"user/{name}//", change_id)
    for rep in fleet.select_reps(fault, rng):
        rep.overrides["owner"] = name


def _share_npi(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """Make the affected reps enter the same NPI for many accounts."""
    row = fleet.vault.db.execute(
        "SELECT id, json_extract(doc, '$.npi__v') FROM record WHERE object = 'account__v' ORDER BY id LIMIT 1"
    ).fetchone()
    fleet.attribute(fault, f"record/{row[0]}//", None)
    for rep in fleet.select_reps(fault, rng):
        rep.overrides["npi"] = row[1]


def _end_sessions(fleet: Fleet, fault: Fault, rng: Random) -> None:
    fleet.attribute(fault, "session", None)
    for rep in fleet.select_reps(fault, rng):
        admin.revoke_sessions(fleet.vault, rep.profile.user_id)


def _add_decoy(fleet: Fleet, fault: Fault, rng: Random) -> None:
    """Record a harmless change, so that not every change before an onset is its cause."""
    options = fault.options
    with fleet.vault.transaction():
        admin.write_audit_entry(
            fleet.vault, options["change_kind"], options["target"], at=fleet.scheduler.now, by="admin",
            object_name=options.get("object"), field=options.get("field"), scope=options.get("scope"),
            before=options.get("before"), after=options.get("after"), detail=options.get("detail"),
        )  # fmt: skip


INJECTORS: dict[str, Callable[[Fleet, Fault, Random], Revert | None]] = {
    "metadata_api": _grant_metadata_api,
    "api_off": _revoke_api,
    "object_right": _revoke_object_permission,
    "field_right": _revoke_field_permission,
    "broken_vmoc": _break_vmoc,
    "rule": _add_validation_rule,
    "field": _change_field,
    "setting": _change_setting,
    "trigger": _add_failing_trigger,
    "realign": _realign_accounts,
    "merge": _merge_accounts,
    "delete_accounts": _delete_accounts,
    "lock_calls": _lock_calls,
    "outside_edits": _write_from_integration,
    "expire_passwords": _expire_passwords,
    "lock_users": _lock_users,
    "deactivate": _deactivate_users,
    "inactive_owner": _file_under_inactive_owner,
    "duplicate_npi": _share_npi,
    "end_sessions": _end_sessions,
    "roll_out": roll_out_version,
    "disturbance": disturb_devices,
    "clock": skew_clocks,
    "silence": silence_devices,
    "user_flag": set_user_flag,
    "corrupt": delete_local_rows,
    "decoy": _add_decoy,
}
