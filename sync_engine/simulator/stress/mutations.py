"""Mutation tests: each mutation changes the source of one function, and a checker must detect it.

A mutation replaces source text, so the engine needs no test switches. It is active only inside
`apply_mutation`, in the process of a test.
"""

# A table with one bug per line is easier to read.
# ruff: noqa: E501

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from sync_engine.simulator.stress.faults import FaultPlan
from sync_engine.simulator.stress.run import simulate_world


@dataclass(frozen=True, slots=True)
class Mutation:
    """A bug to apply: `new` replaces `old` in the source of `function` in `module`."""

    name: str
    module: str
    function: str
    old: str
    new: str
    plan: FaultPlan | None = None  # faults that expose it within a few seeds; None draws them from the seed
    first_seed: int = 0  # first seed to try: for a rare bug, one close to a seed that exposes it


@dataclass(frozen=True, slots=True)
class Score:
    """The result of one mutation: the first seed that exposed it and the violated invariant, or None."""

    mutation: str
    seed: int | None
    invariant: str | None


_UP, _DOWN, _REC = "sync_engine.vault.uploads", "sync_engine.vault.downloads", "sync_engine.vault.records"
_DUP, _DDOWN, _RUNS = (
    "sync_engine.device.upload",
    "sync_engine.device.download",
    "sync_engine.device.sync_run",
)
_SYNCS, _TAB, _EDITS = "sync_engine.device.syncs", "sync_engine.device.errors_tab", "sync_engine.device.edits"
_MEDIA, _FILES = "sync_engine.device.media", "sync_engine.vault.attachments"
_SCOPE, _PERM, _XCH = (
    "sync_engine.vault.scope",
    "sync_engine.vault.permissions",
    "sync_engine.device.request",
)

ERRORS_TAB = FaultPlan(
    truncated=0.15, delay=0.3, poison=0.3, permission=0.3, lock=0.15, undo=0.5, server_edit=0.3, overlap=0.1
)
"""Many refusals, lost replies, and users who act on the Errors tab."""
LATE_COPIES = FaultPlan(
    late_duplicate=0.4, truncated=0.1, poison=0.2, permission=0.3, undo=0.5, server_edit=0.2
)
"""Requests that are delivered again after the user has undone the edit."""

WITH_FILES = FaultPlan(files=0.4, realign=0.1, server_delete=0.1, vmoc=0.1, kill=0.03, truncated=0.1)
"""Files are added and removed, and so are their records."""

MUTATIONS = (
    Mutation("upload is not idempotent", _UP, "_stored_answers", "dict(rows.fetchall())", "{}"),
    Mutation("a refused transaction stays half applied", _UP, "_apply_transaction", "with vault.savepoint():", "if True:"),
    Mutation("conflicts are overwritten", _UP, "_check_conflicts", "if not conflicting_fields:", "if True:"),
    Mutation("an invisible record may be written", _UP, "_require_visible", "record.territory == EVERYWHERE", "True"),
    Mutation("an update brings a deleted record back", _UP, "_find_target", "if record is None or record.deleted:", "if record is not None and record.deleted:\n        return records.undelete(vault, record, at=0.0, by='x')\n    if record is None:"),
    Mutation("a delete leaves no tombstone in the log", _REC, "_write", '_log_change(vault, record.territory, record, seq, "put")', 'record.deleted or _log_change(vault, record.territory, record, seq, "put")'),
    Mutation("a moved record leaves no REMOVE", _REC, "_log_removal", "_log_change(", "(lambda *_: None)("),
    Mutation("children do not follow a moved parent", _REC, "move", "for (child,) in rows:", "for (child,) in []:"),
    Mutation("the digest forgets deletes", _REC, "_subtract_from_digest", "if row:", "if False:"),
    Mutation("hidden fields are sent", _DOWN, "to_wire", "if rule.hidden:", "if False:"),
    Mutation("the cursor runs ahead", _DOWN, "_changed_ids", "seq = vault.sequence() if done", "seq = vault.sequence() + 1 if done"),
    Mutation("files of what is gone stay on the device", _MEDIA, "_delete_removed_files", 'sorted(stored_ids - {file["id"] for file in scope})', "[]", WITH_FILES),
    Mutation("a new version of a file is not fetched", _MEDIA, "_needs_download", 'row[0] == file["version"]', "row[0]", WITH_FILES),
    Mutation("files outside of the scope are listed", _FILES, "list_files", "WHERE {condition}", "WHERE ({condition} OR 1)", WITH_FILES),
    Mutation("a file that comes again goes by its former version", _FILES, "attach_file", "name, number)", "name)", WITH_FILES),
    Mutation("the page boundary skips a record", _DOWN, "_changed_ids", "seq > ?", "seq > ? + 1"),
    Mutation("records that leave by a clause stay", _DOWN, "_changes_page", "sorted(set(ids) - {row[1] for row in present})", "[]"),
    Mutation("a changed rule is not noticed", _DOWN, "pull", "message[\"rules\"].get(name) != names[name]", "name not in message[\"rules\"]"),
    Mutation("related records do not follow their parent's clause", _DOWN, "_depends_on_condition", "parent.object in conditional", "False"),
    Mutation("a clause is not applied", _SCOPE, "_own_condition", "rule.condition is not None", "False"),
    Mutation("a territory is not looked at", _SCOPE, "_territory_condition", "{alias}.territory IN ({marks})", "({alias}.territory IN ({marks}) OR 1)"),
    Mutation("deleted records are sent", _SCOPE, "_territory_condition", " AND {alias}.deleted = 0", ""),
    Mutation("field permission is not checked", _PERM, "require_field_permissions", "if not all(rights)", "if False"),
    Mutation("removes are not applied", _DDOWN, "_replace_records", "(SELECT id FROM gone)", "(SELECT id FROM gone WHERE 0)"),
    Mutation("the cursor is saved before the rows", _DDOWN, "apply_staged", "_count_changes(device, run)", 'write_state(data, "cursor", {"epoch": final["epoch"], "seq": final["seq"]}); data.execute("COMMIT"); data.execute("BEGIN"); _count_changes(device, run)', first_seed=10),
    Mutation("objects out of scope are kept", _DDOWN, "_replace_records", "former_rules.keys() - kept_objects", 'set(final["whole"])'),
    Mutation("a whole object is merged into the old one", _DDOWN, "_replace_records", ' - set(final["whole"])', ""),
    Mutation("a digest that differs is ignored", _DDOWN, "mismatched_objects", "!= expected", "is None"),
    Mutation("stage is left behind", _DDOWN, "_replace_records", "DELETE FROM stage", "DELETE FROM stage WHERE 0"),
    Mutation("answers drop edits before they are downloaded", _DUP, "_record_success", "UPDATE outbox SET acked_seq = ? WHERE key = ?", "DELETE FROM outbox WHERE ?1 AND key = ?2"),
    Mutation("the outbox is emptied before the answer", _DUP, "_send_batch", 'device.env.fault_point("upload.send")', 'device.journal.executemany("DELETE FROM outbox WHERE key = ?", [(transaction.key,) for transaction in batch])'),
    Mutation("answered edits are never dropped", _DDOWN, "delete_answered_edits", "acked_seq <= ?", "acked_seq < ? - 1000000"),
    Mutation("a refusal leaves no entry", _DUP, "_record_failure", "INSERT INTO failure VALUES (?, ?, ?, ?, ?, ?, ?, ?) ", "INSERT INTO failure SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE 0 "),
    Mutation("a refusal is not reported", _DUP, "_record_failure", "report_error(", "(lambda *_, **__: None)("),
    Mutation("an accepted edit keeps its error", _DUP, "_record_success", "DELETE FROM failure WHERE key = ?", "DELETE FROM failure WHERE key = ? AND 0"),
    Mutation("a child is sent before its refused parent", _DUP, "_next_batch", "transaction.related_records & blocked or ", ""),
    Mutation("upload errors are not counted", _DUP, "record_result", "run.upload_errors += len(transaction.rows)", "pass"),
    Mutation("uploads are counted per transaction", _DUP, "record_result", "run.uploads += len(transaction.rows)", "run.uploads += 1"),
    Mutation("retries are not counted", _XCH, "request_binary", "run.retries += 1", "run.retries += 0"),
    Mutation("a refusal is reported twice", _DUP, "_record_failure", "report_error(", "for _ in (1, 2): report_error("),
    Mutation("autosync leaves a tracking record", _RUNS, "begin_sync", 'kind != "autosync"', "True"),
    Mutation("a killed sync loses its record", _RUNS, "close_interrupted_syncs", "UPDATE tracking SET open = 0, sent = 0 WHERE open", "DELETE FROM tracking WHERE open"),
    Mutation("tracking records are sent once at most", _SYNCS, "_send_tracking", "rows = unsent_tracking_records(device)", "rows = unsent_tracking_records(device); delete_sent_tracking_records(device, [row['mobile_id__v'] for row in rows])"),
    Mutation("a failed sync claims success", _SYNCS, "_run_tracked", "successful = False", "successful = True"),
    Mutation("a refresh forgets the outbox", _SYNCS, "_replace_database", 'delete_answered_edits(device, head["seq"])', 'device.journal.execute("DELETE FROM outbox")'),
    Mutation("a refresh keeps the old cursor", _SYNCS, "_write_cursor", '"seq": head["seq"]', '"seq": head["seq"] - 40'),
    Mutation("Undo does not wait for an answer", _TAB, "_find_entry", " or key in device.get(IN_FLIGHT, [])", "", ERRORS_TAB, 50),
    Mutation("Undo disturbs a download", _TAB, "undo", "request_full_download(device, entry.object)", "from sync_engine.device.download import reset_object as now; now(device, entry.object)", ERRORS_TAB, 40),
    Mutation("an answer to some uploads counts for all", _DUP, "_record_results", "set(device.get(IN_FLIGHT, [])) - {transaction.key for transaction in batch}", "set()", ERRORS_TAB, 50),
    Mutation("an edit overtakes one under the record's other name", _DUP, "_vault_ids", "return vault_ids", "return {}", first_seed=5858),
    Mutation("a late upload is let in", _UP, "_check_lane", 'message["lane"] != lane or message["number"] <= number', "False", LATE_COPIES, 70),
    Mutation("an outdated digest is sent again", _DOWN, "scope_digest", "seq not in scope.digests", "not scope.digests"),
    Mutation("an edit is shown only after its upload", _EDITS, "read_record", "ORDER BY n", "AND acked_seq IS NOT NULL ORDER BY n"),
)  # fmt: skip
"""The mutations. Most are bugs that were reported against real sync engines in some form."""


@contextmanager
def apply_mutation(mutation: Mutation) -> Iterator[None]:
    """Apply a mutation to the engine in this process, and revert it at the end.

    Raises ValueError if the function does not contain the text exactly once; update the mutation then.
    """
    module = sys.modules[mutation.module]
    original = getattr(module, mutation.function)
    source = textwrap.dedent(inspect.getsource(original))
    if source.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.name}: {mutation.function} has the text {source.count(mutation.old)} times"
        )
    compiled_names: dict[str, Any] = {}
    code = compile(
        "from __future__ import annotations\n" + source.replace(mutation.old, mutation.new),
        mutation.module,
        "exec",
    )
    exec(code, module.__dict__ | {"__name__": mutation.module}, compiled_names)  # noqa: S102 - our own source text, in a test
    bug = _bind_to_module(module.__dict__, compiled_names[mutation.function])
    modules = _importing_modules(original)
    for importing_module in modules:
        setattr(importing_module, mutation.function, bug)
    try:
        yield
    finally:
        for importing_module in modules:
            setattr(importing_module, mutation.function, original)


def _bind_to_module(names: dict[str, Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its global names bound to the module."""
    bound = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    bound.__kwdefaults__ = function.__kwdefaults__
    return bound


def _importing_modules(function: Callable[..., Any]) -> list[Any]:
    """Return every engine module that imports this function under its name."""
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("sync_engine") and getattr(module, function.__name__, None) is function
    ]


def find_violation(mutation: Mutation, seeds: range) -> Score:
    """Run seeds with the mutation applied until a checker reports it. A crash counts as detected."""
    with apply_mutation(mutation):
        for seed in (mutation.first_seed + offset for offset in seeds):
            try:
                run = simulate_world(seed=seed, plan=mutation.plan)
            except Exception as crash:  # a bug may break anything
                return Score(mutation.name, seed, type(crash).__name__)
            if run.violations:
                return Score(mutation.name, seed, run.violations[0].invariant)
    return Score(mutation.name, None, None)


def format_score_table(seeds: range) -> str:
    """Return a text table of all mutations with the first seed that detected each."""
    scores = [find_violation(mutation, seeds) for mutation in MUTATIONS]
    lines = [f"{score.mutation:<58} {_format_result(score)}" for score in scores]
    caught = sum(score.seed is not None for score in scores)
    return "\n".join([*lines, f"{caught} of {len(scores)} caught within {len(seeds)} seeds"])


def _format_result(score: Score) -> str:
    return "survived" if score.seed is None else f"seed {score.seed} by {score.invariant}"
