"""Actions of users and administrators while devices sync: edits, deletes, realignments, changes."""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import copy
from random import Random

from sync_engine.device import errors_tab, syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import Edit, correct_refused_edit, list_record_ids, new_mobile_id
from sync_engine.protocol import DeviceError, ProcessKilled
from sync_engine.simulator.scheduler import Sleep
from sync_engine.simulator.stress.world import World, restart_device
from sync_engine.vault import admin, attachments, records

STEPS = 45


def draw_edits(device: Device, rng: Random, *, poison: bool) -> list[Edit]:
    """Draw the edits of one save. Each edit writes a unique marker value."""
    accounts, calls = list_record_ids(device, "account__v"), list_record_ids(device, "call2__v")
    marker = f"w{rng.getrandbits(40):x}"
    if not accounts:
        return []
    choice = rng.random()
    if choice < 0.4 or not calls:
        return _draw_call(device, rng, rng.choice(accounts), marker, poison=poison)
    if choice < 0.65:
        fields = {"phone__v": marker * (20 if poison else 1)}
        return [Edit(operation="update", object="account__v", record_id=rng.choice(accounts), fields=fields)]
    if choice < 0.85:
        fields = {"next_call_notes__v": marker * (200 if poison else 1)}
        call = rng.choice([*calls, *_own_calls(device)])
        return [Edit(operation="update", object="call2__v", record_id=call, fields=fields)]
    if choice < 0.93:
        return [Edit(operation="delete", object="call2__v", record_id=rng.choice(calls), fields={})]
    fields = {"account__v": rng.choice(accounts), "summary__v": marker, "detail__c": "x"}
    return [
        Edit(operation="create", object="medical_insight__v", record_id=new_mobile_id(device), fields=fields)
    ]


def _own_calls(device: Device) -> list[str]:
    rows = device.journal.execute(
        "SELECT record_id FROM outbox WHERE object = 'call2__v' AND operation = 'create' ORDER BY n"
    )
    return [row[0] for row in rows]


def _draw_call(device: Device, rng: Random, account: str, marker: str, *, poison: bool) -> list[Edit]:
    call = new_mobile_id(device)
    fields = {
        "account__v": account,
        "call_date__v": "2026-03-02",
        "status__v": rng.choice(["saved__v", "saved__v", "submitted__v"]),
        "next_call_notes__v": marker,
    }
    edits = [Edit(operation="create", object="call2__v", record_id=call, fields=fields)]
    products = list_record_ids(device, "product__v")
    if products and rng.random() < 0.7:
        detail = {
            "call2__v": call,
            "product__v": rng.choice(products),
            "quantity__v": 5000 if poison else 2,
            "lot__v": marker,
        }
        edits.append(
            Edit(operation="create", object="call2_sample__v", record_id=new_mobile_id(device), fields=detail)
        )
    return edits


async def run_workload(world: World) -> None:
    """Run the steps of the workload. Each step draws every kind of action separately."""
    rng = Random(f"{world.seed}/mischief")
    for _ in range(STEPS):
        await Sleep(rng.uniform(50, 900))
        for name, action in ACTIONS.items():
            rate = getattr(world.plan, name)
            if rate and rng.random() < rate:
                world.fault_counts[name] += 1
                action(world, rng)


def _pick_record(world: World, rng: Random, object_name: str, deleted: int = 0) -> records.Record | None:
    rows = world.vault.db.execute(
        "SELECT id FROM record WHERE object = ? AND deleted = ? ORDER BY id", (object_name, deleted)
    ).fetchall()
    return records.find(world.vault, rng.choice(rows)[0]) if rows else None


def _server_edit(world: World, rng: Random) -> None:
    name = rng.choice(["account__v", "account__v", "call2__v"])
    record = _pick_record(world, rng, name)
    if record is None:
        return
    field = {"account__v": "phone__v", "call2__v": "next_call_notes__v"}[name]
    changes: dict[str, object] = {field: f"s{rng.getrandbits(40):x}"}
    if name == "account__v" and rng.random() < 0.4:
        changes = {"specialty__v": rng.choice(["cardiology__v", "oncology__v", "neurology__v"])}
    with world.vault.transaction():
        records.update(world.vault, record, changes, at=world.scheduler.now, by="somebody")


def _server_delete(world: World, rng: Random) -> None:
    record = _pick_record(world, rng, "call2__v", deleted=int(rng.random() < 0.4))
    if record is None:
        return
    with world.vault.transaction():
        if record.deleted:
            parent = records.find(world.vault, record.parent)
            if parent is not None and not parent.deleted:
                world.observations.undeleted[record.id] += 1
                records.undelete(world.vault, record, at=world.scheduler.now, by="somebody")
            return
        for child in records.list_child_ids(world.vault, record.id):
            child_record = records.find(world.vault, child)
            if child_record is not None:
                records.delete(world.vault, child_record, at=world.scheduler.now, by="somebody")
        records.delete(world.vault, record, at=world.scheduler.now, by="somebody")


def _realign(world: World, rng: Random) -> None:
    if rng.random() < 0.25:
        user = world.vault.live["user"][rng.choice(["u0", "u1"])]
        territories = sorted(rng.sample(["T1", "T2", "T3"], rng.randint(1, 3)))
        admin.set_user(world.vault, user["id"], at=world.scheduler.now, territories=territories)
        return
    record = _pick_record(world, rng, "account__v")
    if record is not None:
        admin.realign_accounts(
            world.vault, [record.id], rng.choice(["T1", "T2", "T3"]), at=world.scheduler.now
        )


def _lock(world: World, rng: Random) -> None:
    record = _pick_record(world, rng, "call2__v")
    if record is not None:
        status = "saved__v" if record.doc.get("status__v") == "submitted__v" else "submitted__v"
        with world.vault.transaction():
            records.update(world.vault, record, {"status__v": status}, at=world.scheduler.now, by="somebody")


def _merge(world: World, rng: Random) -> None:
    loser, winner = _pick_record(world, rng, "account__v"), _pick_record(world, rng, "account__v")
    rows = world.vault.db.execute("SELECT count(*) FROM record WHERE object = 'account__v' AND NOT deleted")
    if loser is None or winner is None or loser.id == winner.id or rows.fetchone()[0] < 5:
        return
    admin.merge_accounts(world.vault, loser.id, winner.id, at=world.scheduler.now)


def _permission(world: World, rng: Random) -> None:
    object_name = rng.choice(["call2__v", "account__v", "call2_sample__v"])
    allowed = rng.random() < 0.5
    at = world.scheduler.now
    if rng.random() < 0.4:
        right = rng.choice(["create", "edit", "delete", "read"])
        admin.set_object_permission(world.vault, "rep__c", object_name, right, allowed, at=at)
    else:
        field = {"call2__v": "next_call_notes__v", "account__v": "phone__v", "call2_sample__v": "lot__v"}
        right = rng.choice(["edit", "read"])
        admin.set_field_permission(
            world.vault, "rep__c", object_name, field[object_name], right, allowed, at=at
        )


def _vmoc(world: World, rng: Random) -> None:
    doc = copy.deepcopy(world.vault.live["vmoc"]["account__v"])
    where = ["", "WHERE specialty__v = 'cardiology__v'", "WHERE specialty__v CONTAINS ('oncology__v')"]
    if rng.random() < 0.3:
        calls = copy.deepcopy(world.vault.live["vmoc"]["call2__v"])
        kinds = ["related_to_top_level__v", "child_and_parent_row__v"]
        calls |= {"type__v": rng.choice(kinds), "where_clause__v": rng.choice(["", "status__v = 'saved__v'"])}
        admin.set_vmoc(world.vault, "call2__v", calls, at=world.scheduler.now)
        return
    admin.set_vmoc(
        world.vault, "account__v", doc | {"where_clause__v": rng.choice(where)}, at=world.scheduler.now
    )


def _schema(world: World, rng: Random) -> None:
    fields = world.vault.live["object"]["medical_insight__v"]["fields"]
    definition = None if "detail__c" in fields else {"type": "text", "length": 200}
    admin.set_field(world.vault, "medical_insight__v", "detail__c", definition, at=world.scheduler.now)


def _epoch_change(world: World, rng: Random) -> None:
    """Rebuild the Vault's log: removals are lost, and the epoch changes."""
    world.vault.epoch = f"e{rng.getrandbits(32):x}"
    world.vault.db.execute(
        "DELETE FROM bucket_log WHERE operation = 'remove' OR id IN (SELECT id FROM record WHERE deleted)"
    )


def _partition(world: World, rng: Random) -> None:
    env = world.env(rng.choice(world.devices))
    env.cut_off_until = world.scheduler.now + rng.uniform(60, 6000)


def _background(world: World, rng: Random) -> None:
    device = rng.choice(world.devices)
    if device.foreground:
        device.foreground = False
        world.scheduler.spawn(_return_to_foreground(device), rng.choice([30.0, 600.0, 5000.0, 50_000.0]))


async def _return_to_foreground(device: Device) -> None:
    await Sleep(0.0)
    device.foreground = True


def _clock_skew(world: World, rng: Random) -> None:
    world.env(rng.choice(world.devices)).skew = rng.choice([-93_600.0, -60.0, 0.0, 3600.0, 93_600.0])


def _rows_lost(world: World, rng: Random) -> None:
    device = rng.choice(world.devices)
    row = device.data.execute("SELECT id FROM record ORDER BY revision LIMIT 1").fetchone()
    if row and not device.busy:
        device.data.execute("DELETE FROM record WHERE id = ?", row)
        world.observations.record_tampering(device)


def _session_end(world: World, rng: Random) -> None:
    admin.revoke_sessions(world.vault, rng.choice(["u0", "u1"]))


def _power_loss(world: World, rng: Random) -> None:
    device = rng.choice(world.devices)
    if device.busy:
        return
    backup = world.observations.backups.get(device.device_id)
    if backup is not None and rng.random() < 0.7:
        world.env(device).restore_store("data", backup.data)
        world.observations.record_fallback(device)
        world.env(device).generation += 1
        device.start()
    world.observations.back_up(device)


def _device_restored(world: World, rng: Random) -> None:
    device = rng.choice(world.devices)
    if device.busy:
        return
    backup = world.observations.backups.get(device.device_id)
    if backup is None or rng.random() < 0.3:
        world.observations.back_up(device)
        return
    world.env(device).restore_store("data", backup.data)
    world.env(device).restore_store("journal", backup.journal)
    world.observations.record_restore(world.vault, device, backup)
    world.env(device).generation += 1
    device.start()


def _overlap(world: World, rng: Random) -> None:
    device = rng.choice(world.devices)
    world.scheduler.spawn(_second_sync(world, device, rng.random()), 0.0)


async def _second_sync(world: World, device: Device, choice: float) -> None:
    try:
        await (syncs.autosync(device) if choice < 0.6 else syncs.incremental(device))
    except ProcessKilled as killed:
        restart_device(world, device, killed)
    except DeviceError:
        device.busy = False


def _undo(world: World, rng: Random) -> None:
    device = rng.choice(world.devices)
    entries = errors_tab.entries(device)
    if not entries:
        return
    entry = rng.choice(entries)
    try:
        if "undo" in entry.actions:
            errors_tab.undo(device, entry.key)
            world.observations.record_undo(entry.key)
        elif "undelete" in entry.actions:
            errors_tab.undelete(device, entry.key)
            world.observations.record_undo(entry.key)
        elif entry.object == "call2_sample__v":
            new_key = correct_refused_edit(device, entry.key, entry.record_id, {"quantity__v": 3})
            world.observations.record_correction(entry.key, new_key)
        elif rng.random() < 0.3:
            flags = {"clear_client_sync_errors__v": True}
            admin.set_user(world.vault, device.user_id, at=world.scheduler.now, **flags)
    except ValueError:
        return


def restore_access(world: World) -> None:
    """Activate and unlock the users, as an administrator would."""
    with world.vault.transaction():
        user = world.vault.live["user"]
        for name in ("u0", "u1"):
            world.vault.configure("user", name, user[name] | {"active": True, "locked": False})
        world.vault.publish()


def _files(world: World, rng: Random) -> None:
    """Add, replace or remove a file of a key message or an account."""
    owner = _pick_record(world, rng, rng.choice(["key_message__v", "account__v"]))
    if owner is None:
        return
    name = f"{rng.choice(['a', 'b'])}.zip"
    with world.vault.transaction():
        attached = world.vault.db.execute(
            "SELECT id FROM file WHERE record = ? AND name = ?", (owner.id, name)
        ).fetchone()
        if attached and rng.random() < 0.3:
            attachments.remove_file(world.vault, attached[0])
        else:
            attachments.attach_file(world.vault, owner.id, name, rng.randbytes(rng.randint(0, 60)))


ACTIONS = {
    "server_edit": _server_edit,
    "server_delete": _server_delete,
    "realign": _realign,
    "lock": _lock,
    "merge": _merge,
    "permission": _permission,
    "vmoc": _vmoc,
    "schema": _schema,
    "epoch_change": _epoch_change,
    "partition": _partition,
    "background": _background,
    "clock_skew": _clock_skew,
    "rows_lost": _rows_lost,
    "session_end": _session_end,
    "power_loss": _power_loss,
    "device_restored": _device_restored,
    "overlap": _overlap,
    "undo": _undo,
    "files": _files,
}
