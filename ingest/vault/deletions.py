"""Deletions: a sync that Vault deleted goes; configuration that Vault deleted stays known, as no longer active."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from ingest.batches import BatchReport
from ingest.contracts import CONTRACTS
from ingest.rows import as_text
from ingest.vault.books import Books, rows_of
from ingest.vault.client import VaultClient
from ingest.vault.walk import vault_time

_CONTEXT: dict[str, tuple[str, dict[str, str | None]]] = {
    "user__sys": ("sync_user", {"active": "false"}),
    "vmobile_object_configuration__v": ("vmoc", {"active": "false"}),
    "veeva_settings__v": ("veeva_setting", {"value": None}),
}
"""Objects kept as snapshots: their table, and what a deletion makes of the last one."""

_PAGE = 1000


def follow_deletions(
    client: VaultClient, books: Books, name: str, start: datetime, end: datetime
) -> list[BatchReport]:
    """Take in what Vault deleted of an object between two times, one batch for each page that has any."""
    reports: list[BatchReport] = []
    target = f"{name} deletions"
    for rows in _pages(client, name, start, end):
        if name in _CONTEXT:
            reports += _retire(books, name, target, rows)
        elif name in CONTRACTS:
            reports.append(books.bury(target, name, rows))
    return reports


def _pages(client: VaultClient, name: str, start: datetime, end: datetime) -> Iterator[list[dict[str, Any]]]:
    span = f"start_date={vault_time(start)}&end_date={vault_time(end)}&limit={_PAGE}"
    offset = 0
    while True:
        page = client.call("GET", f"/objects/deletions/vobjects/{name}?{span}&offset={offset}")
        if page.data:
            yield page.data
        offset += len(page.data)
        if not page.data or offset >= int(page.details.get("total") or 0):
            return


def _retire(books: Books, name: str, target: str, rows: list[dict[str, Any]]) -> list[BatchReport]:
    table, after = _CONTEXT[name]
    key = CONTRACTS[table].key[0]
    with books.open() as store:
        last = _last(store, table, key, [str(row.get("id")) for row in rows])
    retired: list[dict[str, Any]] = [
        {**last[str(row.get("id"))], **after, "as_of": row.get("date_deleted")}
        for row in rows
        if str(row.get("id")) in last
    ]
    return [books.settle(rows_of(books.source(target), retired))] if retired else []


def _last(
    store: DuckDBPyConnection, table: str, key: str, ids: list[str]
) -> Mapping[str, dict[str, str | None]]:
    columns = [name for name in CONTRACTS[table].names if name != "as_of"]
    found = store.execute(
        f"SELECT {', '.join(columns)} FROM {table} WHERE {key} IN (SELECT unnest($ids)) "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY as_of DESC) = 1",
        {"ids": ids},
    ).fetchall()
    rows = (dict(zip(columns, map(as_text, row), strict=True)) for row in found)
    return {str(row[key]): row for row in rows}
