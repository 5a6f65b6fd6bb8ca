"""From staged rows to the store: newest wins, nothing vanishes, and the order of loads does not matter.

A staging table holds one load of one kind: the contract's columns with their types, `extra` where the
table has it, and for each row its number, its reasons (empty when it is fine) and, if refused, its raw text.
Everything here runs in the caller's transaction.

Which of two rows with one key stays is a property of the two rows, never of when they came: the later
version, then the row that knows more, then the greater text. DuckDB needs no index for this, only joins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from duckdb import DuckDBPyConnection

from ingest.contracts.tables import Contract
from ingest.store.batches import Batch, BatchReport, Clock
from ingest.store.deletions import DELETED_STATE, add_deletion_snapshots, remove_deletion_snapshots

STAGED = "staged_rows"
STAGED_DELETIONS = "staged_deletions"
_FIRST = 10
"""Refused rows whose numbers an account names."""


def create_staging_table(store: DuckDBPyConnection, contract: Contract) -> None:
    """Make an empty staging table with the columns and types of the contract's table."""
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {STAGED} AS SELECT 0::BIGINT AS row_number, NULL::VARCHAR AS raw, "
        f"[]::VARCHAR[] AS reasons, {_listed(_columns(contract))} FROM {contract.table} LIMIT 0"
    )


def merge(
    store: DuckDBPyConnection,
    contract: Contract,
    batch: Batch,
    clock: Clock,
    *,
    rows_in: int | None = None,
    notes: tuple[str, ...] = (),
) -> BatchReport:
    """Merge the staged rows into the contract's table, keep the refused ones, and write the account.

    `rows_in` is how many rows the reader counted; without it the staged rows are taken at their number.
    """
    staged = _count(store, f"FROM {STAGED}")
    refused = _keep_rejected(store, batch, key=_single_key(contract))
    remove_deletion_snapshots(store, contract)
    kind = _choose_winners(store, contract)
    updated = _replace_older(store, contract, batch)
    new = _insert_new(store, contract, batch)
    add_deletion_snapshots(store, contract)
    _settle_refused(store, contract, batch)
    store.execute(f"DROP {kind} winner; DROP TABLE {STAGED}")
    return batch.close(
        store,
        rows_in=staged if rows_in is None else rows_in,
        counts=(new, updated, staged - refused.count - new - updated, refused.count),
        finished_at=clock(),
        reasons=refused.reasons,
        first_rejected=refused.first,
        notes=notes,
    )


def apply_deletions(
    store: DuckDBPyConnection,
    contract: Contract,
    batch: Batch,
    clock: Clock,
    *,
    notes: tuple[str, ...] = (),
) -> BatchReport:
    """Remember the staged deletions (`staged_deletions`), and remove what they delete.

    A record whose version is later than its deletion stays; of a thing kept as snapshots, one more says
    that it is gone (`removals.py`). In the account an `updated` row is a deletion that is now known to be
    later than it was.
    """
    rows = _count(store, f"FROM {STAGED_DELETIONS}")
    refused = _keep_rejected(store, batch, STAGED_DELETIONS)
    store.execute(
        "CREATE OR REPLACE TEMP TABLE burial AS SELECT d.id, max(d.deleted_at) AS deleted_at, "
        f"any_value(t.deleted_at) AS known FROM {STAGED_DELETIONS} AS d "
        "LEFT JOIN tombstone AS t ON t.id = d.id AND t.kind = $kind WHERE len(d.reasons) = 0 GROUP BY d.id",
        {"kind": contract.table},
    )
    remove_deletion_snapshots(store, contract)
    new = _count(store, "FROM burial WHERE known IS NULL")
    updated = _count(store, "FROM burial WHERE deleted_at > known")
    fresh = "SELECT id FROM burial WHERE known IS NULL OR deleted_at > known"
    store.execute(f"DELETE FROM tombstone WHERE kind = $kind AND id IN ({fresh})", {"kind": contract.table})
    store.execute(
        "INSERT INTO tombstone SELECT $kind, id, deleted_at, $source, $batch FROM burial "
        "WHERE known IS NULL OR deleted_at > known",
        {"kind": contract.table, "source": batch.source, "batch": batch.batch_id},
    )
    if contract.table not in DELETED_STATE:
        store.execute(
            f"DELETE FROM {contract.table} AS t USING burial AS b WHERE t.{contract.key[0]} = b.id "
            f"AND {_not_after('t', contract, 'b.deleted_at')}"
        )
    add_deletion_snapshots(store, contract)
    store.execute(f"DROP TABLE burial; DROP TABLE {STAGED_DELETIONS}")
    return batch.close(
        store,
        rows_in=rows,
        counts=(new, updated, rows - new - updated - refused.count, refused.count),
        finished_at=clock(),
        reasons=refused.reasons,
        first_rejected=refused.first,
        notes=notes,
    )


@dataclass(frozen=True, slots=True)
class _Refused:
    """The refused rows of one load: how many, for which reasons, and the numbers of the first."""

    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: tuple[int, ...] = ()


def _keep_rejected(
    store: DuckDBPyConnection, batch: Batch, staged: str = STAGED, *, key: str = "NULL"
) -> _Refused:
    rejected = _count(store, f"FROM {staged} WHERE len(reasons) > 0")
    if not rejected:
        return _Refused()
    number = "coalesce(s.row_number, s.rowid + 1)"  # a bulk load stages in the order of the file
    # The same bad row of the same source is kept once, however often the source is loaded.
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
    return _Refused(rejected, Counter(dict(counted)), tuple(row[0] for row in first))


def _settle_refused(store: DuckDBPyConnection, contract: Contract, batch: Batch) -> None:
    """Say of rows refused before that a row with their id is in now, as after the correction of a file."""
    open_rows = "FROM rejected_row WHERE kind = $kind AND settled IS NULL AND key IS NOT NULL"
    if not (store.execute(f"SELECT count(*) {open_rows}", {"kind": contract.table}).fetchone() or (0,))[0]:
        return
    # The same content again corrects nothing, even where it has a second row with the id.
    store.execute(
        "UPDATE rejected_row SET settled = 'came in later, with ' || $source WHERE rowid IN "
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
    fine = f"SELECT {_listed(columns)} FROM {STAGED} WHERE len(reasons) = 0"
    doubles = f"SELECT {keys} FROM {STAGED} WHERE len(reasons) = 0 GROUP BY ALL HAVING count(*) > 1"
    kind = "VIEW"  # as long as every staged row is a winner, nothing needs to be copied
    # A window over millions of rows is dear, and keys that occur twice in one load are rare.
    if _count(store, f"FROM ({doubles})"):
        kind = "TABLE"
        ranked = ", ".join(f"{rank} DESC" for rank in _rank("s", contract))
        fine = (
            f"SELECT {_listed(columns)} FROM {STAGED} AS s ANTI JOIN ({doubles}) USING ({keys}) "
            f"WHERE len(reasons) = 0 UNION ALL "
            f"(SELECT {_listed(columns, 's')} FROM {STAGED} AS s SEMI JOIN ({doubles}) USING ({keys}) "
            f"WHERE len(reasons) = 0 "
            f"QUALIFY row_number() OVER (PARTITION BY {_listed(contract.key, 's')} ORDER BY {ranked}) = 1)"
        )
    buried = ""
    if len(contract.key) == 1 and _count(store, f"FROM tombstone WHERE kind = '{contract.table}'"):
        kind = "TABLE"
        buried = (
            f" WHERE NOT EXISTS (SELECT 1 FROM tombstone AS t WHERE t.kind = '{contract.table}' "
            f"AND t.id = f.{contract.key[0]} AND {_not_after('f', contract, 't.deleted_at')})"
        )
    store.execute(f"CREATE TEMP {kind} winner AS SELECT f.* FROM ({fine}) AS f{buried}")
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
    known = " + ".join(f"({column} IS NOT NULL)::INTEGER" for column in columns)
    return [
        f"coalesce({version}, TIMESTAMP '0001-01-01')",
        f"({known})",
        f"CAST(row({', '.join(columns)}) AS VARCHAR)",
    ]


def _lexicographic(pairs: list[tuple[str, str]]) -> str:
    (ours, theirs), *rest = pairs
    if not rest:
        return f"{ours} > {theirs}"
    return f"({ours} > {theirs} OR ({ours} = {theirs} AND {_lexicographic(rest)}))"


def _not_after(alias: str, contract: Contract, moment: str) -> str:
    if contract.version is None:
        return "true"
    version = f"{alias}.{_q(contract.version)}"
    return f"({version} IS NULL OR {version} <= {moment})"


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
