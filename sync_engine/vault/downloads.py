"""Downloads: changed records since a cursor, whole objects, and the digest of a scope.

A cursor is (epoch, sequence, fingerprint of each object's rule). While the rules are unchanged, the cost of a
reply depends on the changes in the user's buckets, not on the size of the Vault. An object whose rule changed is
sent in full.
"""

from __future__ import annotations

import sqlite3

from sync_engine.json_docs import JsonDict, from_json, to_json
from sync_engine.vault.scope import Scope, ScopeRule, get_scope
from sync_engine.vault.state import EVERYWHERE, Vault
from sync_engine.where_clause import paths

END = "end"
"""Marker instead of a position: all whole objects are sent; the next pages contain changes."""

WireRecord = list[object]
"""One record in a download: [object, id, revision, mobile id, fields]."""


def pull(vault: Vault, user: JsonDict, platform: str, message: JsonDict) -> JsonDict:
    """Return one page of a download.

    `whole` lists the objects to send in full, before the changes after the cursor.
    """
    scope = get_scope(vault, user["id"], platform)
    names = {name: rule.fingerprint for name, rule in scope.rules.items()}
    cursor = message["cursor"]
    if cursor["epoch"] != vault.epoch or cursor["seq"] > vault.sequence():
        return {"reset": "epoch", "rules": names}
    whole = sorted(name for name in names if message["rules"].get(name) != names[name])
    if whole != message["whole"]:
        return {"restart": whole, "rules": names, "seq": vault.sequence()}
    page = _page(vault, scope, cursor, message["whole_after"], whole, vault.setting("page_rows"))
    return page | {
        "rules": names,
        "broken": [[name, *problem[:2]] for name, problem in scope.broken.items()],
        "unreadable": [name for name, rule in scope.rules.items() if is_unreadable(rule)],
    }


def is_unreadable(rule: ScopeRule) -> bool:
    """Return whether changes are undetectable because the user cannot read `modified_date__v`."""
    return "modified_date__v" in rule.hidden


def _page(  # noqa: PLR0917
    vault: Vault, scope: Scope, cursor: JsonDict, after: list[str] | str | None, whole: list[str], limit: int
) -> JsonDict:
    if not whole or isinstance(after, str):
        return _changes_page(vault, scope, cursor["seq"], limit)
    return _full_page(vault, scope, after or [whole[0], ""], whole, limit)


def _full_page(vault: Vault, scope: Scope, after: list[str], whole: list[str], limit: int) -> JsonDict:
    """Return one page of the whole objects, starting after a position."""
    put: list[WireRecord] = []
    next_position: list[str] | str = after
    while isinstance(next_position, list) and len(put) < limit:
        name, last = next_position
        rows = _rows_after(vault, scope, name, last, limit - len(put))
        put += [to_wire(row, scope.rules[name]) for row in rows]
        remaining = whole[whole.index(name) + 1 :]
        is_full = len(put) == limit
        next_position = [name, rows[-1][1]] if is_full else [remaining[0], ""] if remaining else END
    return {"put": put, "remove": [], "whole_after": next_position, "done": False, "seq": None}


def _rows_after(vault: Vault, scope: Scope, name: str, last: str, limit: int) -> list[sqlite3.Row]:
    condition, values = scope.condition(name)
    return vault.db.execute(
        "SELECT r.object, r.id, r.revision, r.mobile_id, r.doc FROM record AS r "
        f"WHERE {condition} AND r.id > ? ORDER BY r.id LIMIT ?",
        [*values, last, limit],
    ).fetchall()


def _changes_page(vault: Vault, scope: Scope, since: int, limit: int) -> JsonDict:
    changed, seq, done = _changed_ids(vault, scope, since, limit)
    put: list[WireRecord] = []
    remove: list[list[str]] = []
    for name, ids in changed.items():
        present = _visible_rows(vault, scope, name, ids)
        put += [to_wire(row, scope.rules[name]) for row in present]
        removed_ids = sorted(set(ids) - {row[1] for row in present})
        remove += [[name, record_id, reason] for record_id, reason in _removal_reasons(vault, removed_ids)]
    reply: JsonDict = {"put": put, "remove": remove, "whole_after": None, "done": done, "seq": seq}
    return reply | {"digest": scope_digest(vault, scope)} if done else reply


def _changed_ids(
    vault: Vault, scope: Scope, since: int, limit: int
) -> tuple[dict[str, list[str]], int, bool]:
    territories = sorted({t for rule in scope.rules.values() for t in rule.territories} | {EVERYWHERE})
    marks = ",".join("?" * len(territories))
    rows = vault.db.execute(
        "SELECT object, id, seq FROM bucket_log "
        f"WHERE territory IN ({marks}) AND seq > ? ORDER BY seq LIMIT ?",
        [*territories, since, limit],
    ).fetchall()
    changed: dict[str, dict[str, None]] = {}
    for name, record_id, _ in rows:
        if name in scope.rules and not is_unreadable(scope.rules[name]):
            changed.setdefault(name, {})[record_id] = None
    done = len(rows) < limit
    _add_dependent_records(vault, scope, changed)
    seq = vault.sequence() if done else rows[-1][2]
    return {name: list(ids) for name, ids in changed.items()}, seq, done


def _add_dependent_records(vault: Vault, scope: Scope, changed: dict[str, dict[str, None]]) -> None:
    """Add the records whose presence in the scope depends on a changed record."""
    queue = [(name, changed_id) for name, ids in changed.items() for changed_id in ids]
    parents_of_rows = {r.parent for r in scope.rules.values() if r.type == "child_and_parent_row__v"}
    conditional = {
        name for name, rule in scope.rules.items() if rule.condition is not None or name in parents_of_rows
    }
    related_rules = [r for r in scope.rules.values() if r.type == "related_to_top_level__v"]
    parent_row_rules = [r for r in scope.rules.values() if r.type == "child_and_parent_row__v"]
    while queue:
        name, changed_id = queue.pop()
        dependents: list[tuple[str, str]] = []
        dependent_rules = [rule for rule in related_rules if rule.parent == name]
        if any(_depends_on_condition(scope, rule, conditional) for rule in dependent_rules) or (
            dependent_rules and _is_deleted(vault, changed_id)
        ):
            dependents += vault.db.execute(
                "SELECT object, id FROM record WHERE parent = ?", (changed_id,)
            ).fetchall()
        if any(rule.object == name for rule in parent_row_rules):
            dependents += vault.db.execute(
                "SELECT p.object, p.id FROM record AS c JOIN record AS p ON p.id = c.parent WHERE c.id = ?",
                (changed_id,),
            ).fetchall()
        for object_name, record_id in dependents:
            changed_ids = changed.setdefault(object_name, {}) if object_name in scope.rules else None
            if changed_ids is not None and record_id not in changed_ids:
                changed_ids[record_id] = None
                queue.append((object_name, record_id))
    _add_path_dependents(vault, scope, changed)


def _is_deleted(vault: Vault, record_id: str) -> bool:
    row = vault.db.execute("SELECT deleted FROM record WHERE id = ?", (record_id,)).fetchone()
    return bool(row and row[0])


def _depends_on_condition(scope: Scope, rule: ScopeRule, conditional: set[str]) -> bool:
    parent = scope.rules.get(rule.parent or "")
    if parent is None:
        return False
    return parent.object in conditional or (
        parent.type == "related_to_top_level__v" and _depends_on_condition(scope, parent, conditional)
    )


def _add_path_dependents(vault: Vault, scope: Scope, changed: dict[str, dict[str, None]]) -> None:
    """Add records whose WHERE clause reads a changed record through a reference."""
    for name, rule in scope.rules.items():
        if not any("." in path for path in paths(rule.condition)):
            continue
        changed_ids = [record_id for ids in list(changed.values()) for record_id in ids]
        marks = ",".join("?" * len(changed_ids))
        rows = vault.db.execute(
            f"SELECT id FROM record WHERE object = ? AND parent IN ({marks})", [name, *changed_ids]
        ).fetchall()
        for (record_id,) in rows:
            changed.setdefault(name, {})[record_id] = None


def _visible_rows(vault: Vault, scope: Scope, name: str, ids: list[str]) -> list[sqlite3.Row]:
    condition, values = scope.condition(name)
    visible: list[sqlite3.Row] = []
    for start in range(0, len(ids), 500):
        batch = ids[start : start + 500]
        visible += vault.db.execute(
            "SELECT r.object, r.id, r.revision, r.mobile_id, r.doc FROM record AS r "
            f"WHERE r.id IN (SELECT value FROM json_each(?)) AND {condition} ORDER BY r.id",
            [to_json(batch), *values],
        ).fetchall()
    return visible


def _removal_reasons(vault: Vault, ids: list[str]) -> list[tuple[str, str]]:
    """Return the removal reason of each record: `deleted` or `out_of_scope`."""
    reasons = []
    for record_id in ids:
        row = vault.db.execute("SELECT deleted FROM record WHERE id = ?", (record_id,)).fetchone()
        reasons.append((record_id, "deleted" if row and row[0] else "out_of_scope"))
    return reasons


def to_wire(row: sqlite3.Row, rule: ScopeRule) -> WireRecord:
    """Convert a row to the download format, without the fields that the rule hides."""
    doc = row[4]
    if rule.hidden:
        fields = {k: v for k, v in from_json(doc).items() if k not in rule.hidden}
        doc = to_json(fields)
    return [row[0], row[1], row[2], row[3], doc]


def scope_digest(vault: Vault, scope: Scope) -> JsonDict:
    """Return the expected record count and tag sum of each object in the scope."""
    seq = vault.sequence()
    if seq not in scope.digests:
        unfiltered = scope.unfiltered_objects
        scope.digests.clear()
        scope.digests[seq] = {
            name: _object_digest(vault, scope, name, name in unfiltered)
            for name, rule in scope.rules.items()
            if not is_unreadable(rule)
        }
    return scope.digests[seq]


def _object_digest(vault: Vault, scope: Scope, name: str, is_unfiltered: bool) -> list[int]:
    if is_unfiltered:
        vault.flush_counters()
        territories = scope.rules[name].territories
        marks = ",".join("?" * len(territories))
        sql = (
            "SELECT coalesce(sum(count), 0), coalesce(sum(total), 0) FROM bucket_digest "
            f"WHERE object = ? AND territory IN ({marks})"
        )
        row = vault.db.execute(sql, [name, *territories]).fetchone()
    else:
        condition, values = scope.condition(name)
        sql = f"SELECT count(*), coalesce(sum(r.tag), 0) FROM record AS r WHERE {condition}"
        row = vault.db.execute(sql, values).fetchone()
    return [int(row[0]), int(row[1])]
