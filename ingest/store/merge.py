"""Merge staged rows into the store: the newest version wins, and the order of loads does not matter.

A staging table has the rows of one load: the columns of the contract, `extra` if the table has it, and for each
row its number, its reasons (empty if it is valid), remarks on its cells, and its raw text if it is rejected. All
functions run in the transaction of the caller.

Which of two rows with the same key wins depends only on the rows, never on the order of loads: the later
version, then the row with more values, then the longer text (an export may have cut one), then the greater text.
DuckDB needs no index for this, only joins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from duckdb import DuckDBPyConnection

from ingest.contracts.tables import Contract
from ingest.protection.protection import Layout
from ingest.protection.staged import protect_staged
from ingest.store.batches import Batch, BatchReport, Clock
from ingest.store.deletions import DELETED_STATE, add_deletion_snapshots, remove_deletion_snapshots
from ingest.store.user_identities import join_all_users, join_users

STAGED = "staged_rows"
STAGED_DELETIONS = "staged_deletions"
_FIRST = 10
"""Rejected rows whose numbers a report lists."""


def create_staging_table(store: DuckDBPyConnection, contract: Contract) -> None:
    """Create an empty staging table with the columns and types of the contract's table."""
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {STAGED} AS SELECT 0::BIGINT AS row_number, NULL::VARCHAR AS raw, "
        f"[]::VARCHAR[] AS reasons, 0::BIGINT AS remarks, {_listed(_columns(contract))} FROM {contract.table} LIMIT 0"
    )


def merge(
    store: DuckDBPyConnection,
    contract: Contract,
    batch: Batch,
    clock: Clock,
    *,
    layout: Layout | None = None,
    rows_in: int | None = None,
    notes: tuple[str, ...] = (),
) -> BatchReport:
    """Merge the staged rows into the contract's table, keep the rejected rows, and record the batch.

    Secrets in them are replaced first, and names if the batch has a pseudonymizer; `layout` names the headings
    of the source. `rows_in` is the number of rows that the reader counted (default: the number of staged rows).
    """
    batch = _protect(store, STAGED, batch, layout or Layout(contract.table))
    joined = join_users(store, contract.table, rows=STAGED)
    staged = _count(store, f"FROM {STAGED}")
    rejected = _keep_rejected(store, batch, key=_single_key(contract))
    remove_deletion_snapshots(store, contract)
    kind = _choose_winners(store, contract)
    updated = _replace_older(store, contract, batch)
    new = _insert_new(store, contract, batch)
    if contract.table == "sync_user":
        joined = join_all_users(store)
    if joined:
        notes = (*notes, f"rows that name a user by name or e-mail address, joined to the user: {joined}")
    add_deletion_snapshots(store, contract)
    _resolve_rejected(store, contract, batch)
    store.execute(f"DROP {kind} winner; DROP TABLE {STAGED}")
    return batch.close(
        store,
        rows_in=staged if rows_in is None else rows_in,
        counts=(new, updated, staged - rejected.count - new - updated, rejected.count),
        finished_at=clock(),
        reasons=rejected.reasons,
        first_rejected=rejected.first,
        notes=notes,
    )


def apply_deletions(
    store: DuckDBPyConnection,
    contract: Contract,
    batch: Batch,
    clock: Clock,
    *,
    layout: Layout | None = None,
    notes: tuple[str, ...] = (),
) -> BatchReport:
    """Store the staged deletions (`staged_deletions`) as tombstones, and delete their records.

    A record with a version later than its deletion is kept. Configuration gets one more snapshot, marked as
    deleted (see `ingest.store.deletions`). In the report, an updated row is a deletion that moved to a later
    time.
    """
    batch = _protect(store, STAGED_DELETIONS, batch, layout or Layout(contract.table))
    rows = _count(store, f"FROM {STAGED_DELETIONS}")
    rejected = _keep_rejected(store, batch, STAGED_DELETIONS)
    store.execute(
        "CREATE OR REPLACE TEMP TABLE applied_deletion AS SELECT d.id, max(d.deleted_at) AS deleted_at, "
        f"any_value(t.deleted_at) AS previous FROM {STAGED_DELETIONS} AS d "
        "LEFT JOIN tombstone AS t ON t.id = d.id AND t.kind = $kind WHERE len(d.reasons) = 0 GROUP BY d.id",
        {"kind": contract.table},
    )
    remove_deletion_snapshots(store, contract)
    new = _count(store, "FROM applied_deletion WHERE previous IS NULL")
    updated = _count(store, "FROM applied_deletion WHERE deleted_at > previous")
    fresh = "SELECT id FROM applied_deletion WHERE previous IS NULL OR deleted_at > previous"
    store.execute(f"DELETE FROM tombstone WHERE kind = $kind AND id IN ({fresh})", {"kind": contract.table})
    store.execute(
        "INSERT INTO tombstone SELECT $kind, id, deleted_at, $source, $batch FROM applied_deletion "
        "WHERE previous IS NULL OR deleted_at > previous",
        {"kind": contract.table, "source": batch.source, "batch": batch.batch_id},
    )
    if contract.table not in DELETED_STATE:
        store.execute(
            f"DELETE FROM {contract.table} AS t USING applied_deletion AS b WHERE t.{contract.key[0]} = b.id "
            f"AND {_not_after('t', contract, 'b.deleted_at')}"
        )
    add_deletion_snapshots(store, contract)
    store.execute(f"DROP TABLE applied_deletion; DROP TABLE {STAGED_DELETIONS}")
    return batch.close(
        store,
        rows_in=rows,
        counts=(new, updated, rows - new - updated - rejected.count, rejected.count),
        finished_at=clock(),
        reasons=rejected.reasons,
        first_rejected=rejected.first,
        notes=notes,
    )


def _protect(store: DuckDBPyConnection, staged: str, batch: Batch, layout: Layout) -> Batch:
    """Protect the staged rows and the name of the source: nothing reaches a table by another way."""
    protect_staged(store, staged, batch.protection, layout)
    return replace(batch, source=batch.protection.text(batch.source))


@dataclass(frozen=True, slots=True)
class _RejectedRows:
    """The rejected rows of one load: their number, their reasons, and the first row numbers."""

    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: tuple[int, ...] = ()


def _keep_rejected(
    store: DuckDBPyConnection, batch: Batch, staged: str = STAGED, *, key: str = "NULL"
) -> _RejectedRows:
    rejected = _count(store, f"FROM {staged} WHERE len(reasons) > 0")
    if not rejected:
        return _RejectedRows()
    number = "coalesce(s.row_number, s.rowid + 1)"  # whole files are staged in the order of the file
    # A rejected row is kept once, even if its source is loaded again.
    store.execute(
        f"INSERT INTO rejected_row SELECT $batch, $source, $kind, {number}, raw, reasons, {key}, NULL "
        f"FROM {staged} AS s "
        "WHERE len(reasons) > 0 AND NOT EXISTS (SELECT 1 FROM rejected_row AS r WHERE r.source = $source "
        f"AND r.kind = $kind AND r.row_number = {number} AND r.raw IS NOT DISTINCT FROM s.raw "
        "AND r.reasons = s.reasons)",
        {"batch": batch.batch_id, "source": batch.source, "kind": batch.kind},
    )
    counted = store.execute(
        f"SELECT regexp_replace(reason, ' \\(.*$', '', 's') AS short, count(*) "
        f"FROM (SELECT unnest(reasons) AS reason FROM {staged}) GROUP BY short "
        "ORDER BY count(*) DESC, short LIMIT 20"
    ).fetchall()
    first = store.execute(
        f"SELECT {number} FROM {staged} AS s WHERE len(reasons) > 0 ORDER BY 1 LIMIT {_FIRST}"
    ).fetchall()
    return _RejectedRows(rejected, Counter(dict(counted)), tuple(row[0] for row in first))


def _resolve_rejected(store: DuckDBPyConnection, contract: Contract, batch: Batch) -> None:
    """Mark rejected rows as resolved if this load has a valid row with their id, as in a corrected file."""
    open_rows = "FROM rejected_row WHERE kind = $kind AND settled IS NULL AND key IS NOT NULL"
    if not (store.execute(f"SELECT count(*) {open_rows}", {"kind": contract.table}).fetchone() or (0,))[0]:
        return
    # Loading the same content again resolves nothing, even if it has a second row with the id.
    store.execute(
        "UPDATE rejected_row SET settled = 'corrected by ' || $source WHERE rowid IN "
        f"(SELECT rowid {open_rows} AND key IN (SELECT {_listed(contract.key[:1])} FROM winner) "
        "AND batch_id <> $batch AND batch_id NOT IN "
        "(SELECT batch_id FROM ingest_batch WHERE content_hash = coalesce($content, '')))",
        {
            "kind": contract.table,
            "source": batch.source,
            "batch": batch.batch_id,
            "content": batch.content_hash,
        },
    )


def _single_key(contract: Contract) -> str:
    return f"s.{_q(contract.key[0])}" if len(contract.key) == 1 else "NULL"


def _choose_winners(store: DuckDBPyConnection, contract: Contract) -> str:
    columns, keys = _columns(contract), _listed(contract.key)
    valid = f"SELECT {_listed(columns)} FROM {STAGED} WHERE len(reasons) = 0"
    duplicates = f"SELECT {keys} FROM {STAGED} WHERE len(reasons) = 0 GROUP BY ALL HAVING count(*) > 1"
    kind = "VIEW"  # no copy is needed while every staged row is a winner
    # A window over millions of rows is expensive, and duplicate keys in one load are rare.
    if _count(store, f"FROM ({duplicates})"):
        kind = "TABLE"
        ranked = ", ".join(f"{rank} DESC" for rank in _rank("s", contract))
        valid = (
            f"SELECT {_listed(columns)} FROM {STAGED} AS s ANTI JOIN ({duplicates}) USING ({keys}) "
            f"WHERE len(reasons) = 0 UNION ALL "
            f"(SELECT {_listed(columns, 's')} FROM {STAGED} AS s SEMI JOIN ({duplicates}) USING ({keys}) "
            f"WHERE len(reasons) = 0 "
            f"QUALIFY row_number() OVER (PARTITION BY {_listed(contract.key, 's')} ORDER BY {ranked}) = 1)"
        )
    deletion_filter = ""
    if len(contract.key) == 1 and _count(store, f"FROM tombstone WHERE kind = '{contract.table}'"):
        kind = "TABLE"
        deletion_filter = (
            f" WHERE NOT EXISTS (SELECT 1 FROM tombstone AS t WHERE t.kind = '{contract.table}' "
            f"AND t.id = f.{contract.key[0]} AND {_not_after('f', contract, 't.deleted_at')})"
        )
    store.execute(f"CREATE TEMP {kind} winner AS SELECT f.* FROM ({valid}) AS f{deletion_filter}")
    return kind


def _replace_older(store: DuckDBPyConnection, contract: Contract, batch: Batch) -> int:
    if not _count(store, f"FROM (FROM {contract.table} LIMIT 1)"):
        return 0
    columns = _columns(contract)
    differs = " OR ".join(f"w.{_q(name)} IS DISTINCT FROM t.{_q(name)}" for name in columns)
    ranks = zip(_rank("w", contract), _rank("t", contract), strict=True)
    wins = _lexicographic(list(ranks))
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE changed AS SELECT w.* FROM winner AS w JOIN {contract.table} AS t "
        f"ON {_same_key('w', 't', contract)} WHERE ({differs}) AND {wins}"
    )
    updated = _count(store, "FROM changed")
    if updated:
        store.execute(
            f"DELETE FROM {contract.table} AS t USING changed AS c WHERE {_same_key('c', 't', contract)}"
        )
        _insert(store, contract, batch, "SELECT * FROM changed")
    store.execute("DROP TABLE changed")
    return updated


def _insert_new(store: DuckDBPyConnection, contract: Contract, batch: Batch) -> int:
    return _insert(
        store,
        contract,
        batch,
        f"SELECT * FROM winner ANTI JOIN {contract.table} USING ({_listed(contract.key)})",
    )


def _insert(store: DuckDBPyConnection, contract: Contract, batch: Batch, rows: str) -> int:
    columns = _columns(contract)
    inserted = store.execute(
        f"INSERT INTO {contract.table} ({_listed(columns)}, source, batch_id) "
        f"SELECT {_listed(columns)}, $source, $batch FROM ({rows})",
        {"source": batch.source, "batch": batch.batch_id},
    ).fetchone()
    return int(inserted[0]) if inserted else 0


def _rank(alias: str, contract: Contract) -> list[str]:
    columns = [f"{alias}.{_q(name)}" for name in _columns(contract)]
    version = f"{alias}.{_q(contract.version)}" if contract.version else "NULL::TIMESTAMP"
    value_count = " + ".join(f"({column} IS NOT NULL)::INTEGER" for column in columns)
    text = f"CAST(row({', '.join(columns)}) AS VARCHAR)"
    return [
        f"coalesce({version}, TIMESTAMP '0001-01-01')",
        f"({value_count})",
        f"length({text})",
        text,
    ]


def _lexicographic(pairs: list[tuple[str, str]]) -> str:
    (left, right), *remaining = pairs
    if not remaining:
        return f"{left} > {right}"
    return f"({left} > {right} OR ({left} = {right} AND {_lexicographic(remaining)}))"


def _not_after(alias: str, contract: Contract, time: str) -> str:
    if contract.version is None:
        return "true"
    version = f"{alias}.{_q(contract.version)}"
    return f"({version} IS NULL OR {version} <= {time})"


def _same_key(left: str, right: str, contract: Contract) -> str:
    return " AND ".join(f"{left}.{_q(name)} = {right}.{_q(name)}" for name in contract.key)


def _columns(contract: Contract) -> tuple[str, ...]:
    return (*contract.names, "extra") if contract.has_extra else contract.names


def _listed(names: Iterable[str], alias: str = "") -> str:
    return ", ".join(f"{alias}.{_q(name)}" if alias else _q(name) for name in names)


def _q(name: str) -> str:
    return f'"{name}"'


def _count(store: DuckDBPyConnection, source: str) -> int:
    (count,) = store.execute(f"SELECT count(*) {source}").fetchone() or (0,)
    return int(count)
