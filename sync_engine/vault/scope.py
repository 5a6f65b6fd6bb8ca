"""The sync scope: the records and fields that belong on a user's device.

A scope has one rule per object. Each rule becomes one SQL condition over `record`, so that a single query
selects the records of a device, or those of a few changed ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict, to_sorted_json
from sync_engine.model import SYSTEM_FIELDS
from sync_engine.vault import permissions
from sync_engine.vault.state import EVERYWHERE, Vault
from sync_engine.vmoc import effective_vmocs, with_related_objects
from sync_engine.where_clause import Condition, InvalidClause, Value, parse, paths, to_sql

Sql = tuple[str, list[Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRule:
    """The rule that selects the records and fields of one object for a device."""

    object: str
    type: str
    territories: tuple[str, ...]
    condition: Condition | None
    parent: str | None
    hidden: tuple[str, ...]
    fingerprint: str  # changes whenever the rule changes
    enhanced: bool = False
    rows: bool = True
    attachments: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The rules of a scope by object, and errors of invalid rules.

    `broken` maps an object to (error type, message, cause). `conditions` and `digests` are caches; digests are
    stored by sequence number.
    """

    rules: Mapping[str, ScopeRule]
    broken: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    conditions: dict[str, Sql] = field(default_factory=dict, init=False, repr=False, compare=False)
    digests: dict[int, JsonDict] = field(default_factory=dict, init=False, repr=False, compare=False)

    def condition(self, name: str) -> Sql:
        """Return the SQL condition over `record AS r` and its values for an object."""
        if name not in self.conditions:
            self.conditions[name] = self._condition(name)
        return self.conditions[name]

    def _condition(self, name: str) -> Sql:
        rule = self.rules[name]
        texts, values = _own_condition(rule, "r")
        sql = " AND ".join(texts)
        if rule.type == "related_to_top_level__v" and rule.parent:
            parent_sql, parent_values = self._parent_ids(rule.parent)
            sql, values = f"{sql} AND r.parent IN ({parent_sql})", [*values, *parent_values]
        for child in self.rules.values():
            if child.type == "child_and_parent_row__v" and child.parent == name:
                sql, values = self._with_parents_of(child, rule, sql, values)
        return sql, values

    def _parent_ids(self, parent: str) -> Sql:
        if parent not in self.rules:
            return "SELECT NULL WHERE 0", []
        condition, values = self.condition(parent)
        return f"SELECT r.id FROM record AS r WHERE {condition}", values

    def _with_parents_of(self, child: ScopeRule, rule: ScopeRule, sql: str, values: list[Value]) -> Sql:
        texts, child_values = _own_condition(child, "r")
        territory_sql, territory_values = _territory_condition(rule, "r")
        parent_ids_sql = f"r.id IN (SELECT r.parent FROM record AS r WHERE {' AND '.join(texts)})"
        return f"(({sql}) OR ({territory_sql} AND {parent_ids_sql}))", [
            *values,
            *territory_values,
            *child_values,
        ]

    @property
    def unfiltered_objects(self) -> frozenset[str]:
        """Return the objects whose records are whole buckets.

        The sum of the bucket digests is the digest of such an object.
        """
        parents = {r.parent for r in self.rules.values() if r.type == "child_and_parent_row__v"}
        return frozenset(name for name in self.rules if name not in parents and self._is_unfiltered(name))

    def _is_unfiltered(self, name: str | None) -> bool:
        rule = self.rules.get(name or "")
        if rule is None or rule.condition is not None or not rule.rows:
            return False
        return rule.type != "related_to_top_level__v" or self._is_unfiltered(rule.parent)


def _territory_condition(rule: ScopeRule, alias: str) -> Sql:
    marks = ",".join("?" * len(rule.territories))
    text = f"{alias}.object = ? AND {alias}.territory IN ({marks}) AND {alias}.deleted = 0"
    return text, [rule.object, *rule.territories]


def _own_condition(rule: ScopeRule, alias: str) -> tuple[list[str], list[Value]]:
    territory_text, values = _territory_condition(rule, alias)
    texts = [territory_text] if rule.rows else ["0", territory_text]
    if rule.condition is not None:
        text, clause_values = to_sql(rule.condition, f"{alias}.doc")
        texts.append(f"({text})")
        values = [*values, *clause_values]
    return texts, values


def get_scope(vault: Vault, user_id: str, platform: str) -> Scope:
    """Return the current scope, from published VMOCs, live permissions and territories."""
    scope = vault.scopes.get((user_id, platform))
    if scope is None:
        scope = vault.scopes[(user_id, platform)] = _build_scope(vault, user_id, platform)
    return scope


def _build_scope(vault: Vault, user_id: str, platform: str) -> Scope:
    user = vault.find_user(user_id)
    if user is None:
        return Scope(rules={})
    user = _hide_unreadable_profile(vault, user)
    rules: dict[str, ScopeRule] = {}
    broken: dict[str, tuple[str, str, str]] = {}
    vmocs = effective_vmocs(sorted(vault.published.get("vmoc", {}).items()), user, platform)
    vmocs = with_related_objects(vmocs, vault.live["object"])
    for name, vmoc in vmocs.items():
        problem = _find_problem(vault, name, vmoc, user)
        if problem:
            broken[name] = problem
        elif permissions.allows(vault, user, name, "read"):
            rules[name] = _build_rule(vault, name, vmoc, user)
    return Scope(
        rules={name: _with_dependency_name(rules, rule) for name, rule in rules.items()}, broken=broken
    )


def _hide_unreadable_profile(vault: Vault, user: JsonDict) -> JsonDict:
    """Remove the profile from a user who cannot read application profiles."""
    readable = permissions.can_read_all_fields(vault, user, permissions.PROFILES)
    return user if readable else user | {"application_profile": None}


def _with_dependency_name(rules: Mapping[str, ScopeRule], rule: ScopeRule) -> ScopeRule:
    """Return the rule with a fingerprint that also covers the rules it depends on."""
    names: list[str] = []
    queue = [rule.object]
    while queue:
        dependency = rules.get(queue.pop())
        if dependency is None or dependency.fingerprint in names:
            continue
        names.append(dependency.fingerprint)
        if dependency.type == "related_to_top_level__v" and dependency.parent:
            queue.append(dependency.parent)
        queue += [
            c.object
            for c in rules.values()
            if c.type == "child_and_parent_row__v" and c.parent == dependency.object
        ]
    return replace(rule, fingerprint=short_hash(*names))


def _find_problem(vault: Vault, name: str, vmoc: JsonDict, user: JsonDict) -> tuple[str, str, str] | None:
    if name not in vault.live["object"]:
        return (
            "INVALID_DATA",
            f"VMOC [{name}]: the object [{name}] does not exist in this Vault",
            "sync-configuration",
        )
    if not vault.live["object"][name].get("active", True):
        return "INVALID_DATA", f"VMOC [{name}]: the object [{name}] is inactive", "sync-configuration"
    try:
        condition = parse(vmoc["where_clause__v"], _tokens(user))
    except InvalidClause as error:
        return "INCORRECT_QUERY_SYNTAX_ERROR", f"VMOC [{name}]: {error}", "sync-configuration"
    unknown = _unknown_field(vault, name, condition)
    if unknown:
        return (
            "ATTRIBUTE_NOT_SUPPORTED",
            f"VMOC [{name}]: the WHERE clause names the unknown field [{unknown}]",
            "sync-configuration",
        )
    return None


def _unknown_field(vault: Vault, name: str, condition: Condition | None) -> str | None:
    fields = vault.live["object"][name]["fields"]
    own_fields = [path for path in paths(condition) if "." not in path]
    return next(
        (
            field_name
            for field_name in own_fields
            if field_name not in fields and field_name not in SYSTEM_FIELDS
        ),
        None,
    )


def _build_rule(vault: Vault, name: str, vmoc: JsonDict, user: JsonDict) -> ScopeRule:
    definition = vault.live["object"][name]
    territories = (EVERYWHERE,) if definition["sharing"] == "public" else tuple(sorted(user["territories"]))
    hidden = permissions.hidden_fields(vault, user, name)
    token_values = [_tokens(user)] if "@@" in vmoc["where_clause__v"] else []
    return ScopeRule(
        object=name,
        type=vmoc["type__v"],
        territories=territories,
        condition=parse(vmoc["where_clause__v"], _tokens(user)),
        parent=vmoc["parent_object__v"],
        hidden=hidden,
        fingerprint=short_hash(
            to_sorted_json(vmoc), territories, hidden, sorted(definition["fields"]), *token_values
        ),
        enhanced=vmoc["enable_enhanced_sync__v"],
        rows=not vmoc["meta_data_only__v"],
        attachments=bool(vmoc["include_attachments__v"] and definition.get("allow_attachments")),
    )


def _tokens(user: JsonDict) -> Mapping[str, Value]:
    return {
        "@@USER_APP_PROFILE_ID@@": user["application_profile"],
        "@@USER_LANGUAGE_CODE@@": user["language"],
        "@@USER_LABEL_SET@@": user.get("label_set__sys"),
    }
