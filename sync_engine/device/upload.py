"""Upload pending edits, parents first, and record each result."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sync_engine.device.client import IN_FLIGHT, Device, durable_transaction
from sync_engine.device.request import next_upload_number, send_request
from sync_engine.device.sync_run import SyncRun, enter_phase, report_error
from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.protocol import VaultError

BATCH_ROWS = 500
TOO_LARGE = "EXCEEDS_FILE_MAX_SIZE"


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction to upload: the edits of one save."""

    key: str
    rows: list[JsonDict]
    records: frozenset[str]  # ids of its records: the Vault id if the device knows it
    related_records: frozenset[str]  # the same ids, and the ids of records they refer to


async def upload(device: Device, run: SyncRun) -> None:
    """Upload all pending edits. A refused record blocks only itself and dependent records."""
    enter_phase(device, run, "upload")
    answered: set[str] = set()
    while batch := _next_batch(device, run, answered):
        await _upload_batch(device, run, batch)
        answered |= {transaction.key for transaction in batch}
    run.upload_done = True


async def _upload_batch(device: Device, run: SyncRun, batch: list[Transaction]) -> None:
    """Upload a batch and record its results. A batch that is too large is split in halves."""
    try:
        results = (await _send_batch(device, run, batch))["results"]
    except VaultError as refusal:
        if refusal.type != TOO_LARGE:
            raise
        if len(batch) > 1:
            await _upload_batch(device, run, batch[: len(batch) // 2])
            await _upload_batch(device, run, batch[len(batch) // 2 :])
            return
        failure = {"key": batch[0].key, "responseStatus": "FAILURE", "row": 0, "errors": [refusal.to_dict()]}
        results = [failure]
    _record_results(device, run, batch, results)


def _record_results(device: Device, run: SyncRun, batch: list[Transaction], results: list[JsonDict]) -> None:
    """Record all results of a reply in one commit. After a kill, the Vault sends them again."""
    device.journal.execute("BEGIN")
    try:
        for transaction, result in zip(batch, results, strict=True):
            record_result(device, run, transaction, result)
        _set_in_flight(device, set(device.get(IN_FLIGHT, [])) - {transaction.key for transaction in batch})
    except BaseException:
        device.journal.execute("ROLLBACK")
        raise
    device.journal.execute("COMMIT")


def _set_in_flight(device: Device, keys: set[str]) -> None:
    """Store the keys of uploads without an answer. Results of other uploads do not change these."""
    device.put(IN_FLIGHT, sorted(keys))


async def _send_batch(device: Device, run: SyncRun, batch: list[Transaction]) -> JsonDict:
    transactions = [{"key": transaction.key, "rows": transaction.rows} for transaction in batch]
    with durable_transaction(device.journal):
        _set_in_flight(device, {*device.get(IN_FLIGHT, []), *(transaction.key for transaction in batch)})
    device.env.fault_point("upload.send")
    request: JsonDict = {"verb": "upload", "transactions": transactions, "lane": device.get("lane", 0)}
    try:
        return await send_request(device, run, request | {"number": next_upload_number(device)})
    except VaultError as refusal:
        if refusal.type != "RACE_CONDITION" or refusal.object is not None:
            raise
    # The Vault has a later upload of this lane: the number was reset, or a copy of this device is in use.
    reply = await send_request(device, run, {"verb": "open", "kind": "autosync"})
    use_lane(device, reply)
    return await send_request(
        device, run, request | {"lane": reply["lane"], "number": next_upload_number(device)}
    )


def use_lane(device: Device, reply: JsonDict) -> None:
    """Use the upload lane in the reply of the Vault to an `open` request."""
    device.put("lane", reply["lane"])
    device.put("number", 0)


def list_pending_transactions(device: Device) -> list[Transaction]:
    """Return transactions without an answer, oldest first."""
    rows = device.journal.execute(
        "SELECT key, object, record_id, operation, base_revision, fields, was FROM outbox "
        "WHERE acked_seq IS NULL ORDER BY n"
    ).fetchall()
    if not rows:
        return []
    rows_by_key: dict[str, list[JsonDict]] = {}
    for key, name, record_id, operation, base, fields, previous in rows:
        rows_by_key.setdefault(key, []).append(
            {
                "object": name,
                "id": record_id,
                "operation": operation,
                "base_revision": base,
                "fields": from_json(fields),
                "was": from_json(previous),
            }
        )
    ids_by_key = {
        key: ({row["id"] for row in rows}, _referenced_ids(rows)) for key, rows in rows_by_key.items()
    }
    vault_ids = _vault_ids(
        device, set().union(*(own | referenced for own, referenced in ids_by_key.values()))
    )
    transactions: list[Transaction] = []
    for key, (own_ids, referenced_ids) in ids_by_key.items():
        records = frozenset(vault_ids.get(name, name) for name in own_ids)
        related_records = records | {vault_ids.get(name, name) for name in referenced_ids}
        transactions.append(Transaction(key, rows_by_key[key], records, related_records))
    return transactions


_ID = re.compile(r"m-[0-9a-f]{20}|V[0-9A-F]{3}\d{12}")


def _referenced_ids(rows: list[JsonDict]) -> set[str]:
    return {v for row in rows for v in row["fields"].values() if isinstance(v, str) and _ID.fullmatch(v)}


def _vault_ids(device: Device, names: set[str]) -> dict[str, str]:
    """Return Vault ids by mobile id; one record can have edits under both ids."""
    mobile_ids = to_json(sorted(name for name in names if name.startswith("m-")))
    vault_ids: dict[str, str] = {}
    for store, table in ((device.data, "record"), (device.journal, "known_id")):
        vault_ids |= store.execute(
            f"SELECT mobile_id, id FROM {table} WHERE mobile_id IN (SELECT value FROM json_each(?))",
            (mobile_ids,),
        )
    return vault_ids


def _next_batch(device: Device, run: SyncRun, answered: set[str]) -> list[Transaction]:
    failed = {row[0] for row in device.journal.execute("SELECT key FROM failure")}
    blocked: set[str] = set()
    batch: list[Transaction] = []
    size = 0
    for transaction in list_pending_transactions(device):
        skipped = transaction.key in answered or (run.kind == "autosync" and transaction.key in failed)
        if skipped or transaction.related_records & blocked or size + len(transaction.rows) > BATCH_ROWS:
            blocked |= transaction.records
            continue
        blocked |= transaction.records
        batch.append(transaction)
        size += len(transaction.rows)
    return batch


def record_result(device: Device, run: SyncRun, transaction: Transaction, result: JsonDict) -> None:
    """Record one result. An accepted edit stays visible until downloaded; a refused one enters the Errors tab."""
    if result["responseStatus"] == "SUCCESS":
        run.uploads += len(transaction.rows)
        _record_success(device, transaction, result)
    else:
        run.upload_errors += len(transaction.rows)
        _record_failure(device, run, transaction, result)


def _record_success(device: Device, transaction: Transaction, result: JsonDict) -> None:
    device.journal.execute("UPDATE outbox SET acked_seq = ? WHERE key = ?", (result["seq"], transaction.key))
    device.journal.execute("DELETE FROM failure WHERE key = ?", (transaction.key,))
    for row in transaction.rows:
        if row["operation"] == "create":
            device.journal.execute(
                "INSERT OR IGNORE INTO known_id VALUES (?, ?)", (row["id"], result["ids"][row["id"]])
            )


def _record_failure(device: Device, run: SyncRun, transaction: Transaction, result: JsonDict) -> None:
    row, error = transaction.rows[result["row"]], result["errors"][0]
    device.journal.execute(
        "INSERT INTO failure VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET type = excluded.type, message = excluded.message, field = excluded.field",
        (
            transaction.key,
            row["object"],
            row["id"],
            row["operation"],
            error["type"],
            error["message"],
            error.get("field"),
            device.env.now(),
        ),
    )
    report_error(
        device,
        run,
        error,
        subject=transaction.key,
        operation=row["operation"],
        object_name=row["object"],
        record_id=row["id"],
        payload=row["fields"],
    )
