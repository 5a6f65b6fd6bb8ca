"""The scope of a user on a platform: which records and which fields of them belong on the device.

A scope is one rule per object. A rule becomes one SQL condition over `record`, so that the exact view of a
device, or of a few changed records, is a single query and never a walk.
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
    """Which records and fields of one object are on the device."""

    object: str
    type: str
    territories: tuple[str, ...]
    condition: Condition | None
    parent: str | None
    hidden: tuple[str, ...]
    fingerprint: str  # changes whenever the rule does
    enhanced: bool = False
    rows: bool = True
    attachments: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Every rule by object, and what is wrong with the others: object -> (cause's error type, message).

    `conditions` and `digests` are caches; digests are kept by sequence number.
    """

    rules: Mapping[str, ScopeRule]
    broken: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    conditions: dict[str, Sql] = field(default_factory=dict, init=False, repr=False, compare=False)
    digests: dict[int, JsonDict] = field(default_factory=dict, init=False, repr=False, compare=False)

    def condition(self, name: str) -> Sql:
        """The object's records as SQL over `record AS r`, and the values to bind."""
        if name not in self.conditions:
            self.conditions[name] = self._condition(name)
        return self.conditions[name]

    def _condition(self, name: str) -> Sql:
        rule = self.rules[name]
        texts, values = _own_condition(rule, "r")
        own = " AND ".join(texts)
        if rule.type == "related_to_top_level__v" and rule.parent:
            inside, more = self._parent_ids(rule.parent)
            own, values = f"{own} AND r.parent IN ({inside})", [*values, *more]
        for child in self.rules.values():
            if child.type == "child_and_parent_row__v" and child.parent == name:
                own, values = self._with_parents_of(child, rule, own, values)
        return own, values

    def _parent_ids(self, parent: str) -> Sql:
        if parent not in self.rules:
            return "SELECT NULL WHERE 0", []
        condition, values = self.condition(parent)
        return f"SELECT r.id FROM record AS r WHERE {condition}", values

    def _with_parents_of(self, child: ScopeRule, rule: ScopeRule, own: str, values: list[Value]) -> Sql:
        texts, more = _own_condition(child, "r")
        bounds, limits = _territory_condition(rule, "r")
        wanted = f"r.id IN (SELECT r.parent FROM record AS r WHERE {' AND '.join(texts)})"
        return f"(({own}) OR ({bounds} AND {wanted}))", [*values, *limits, *more]

    @property
    def unfiltered_objects(self) -> frozenset[str]:
        """Objects whose view is whole buckets, so that the bucket digests add up to its digest."""
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
    bounds, values = _territory_condition(rule, alias)
    texts = [bounds] if rule.rows else ["0", bounds]
    if rule.condition is not None:
        text, more = to_sql(rule.condition, f"{alias}.doc")
        texts.append(f"({text})")
        values = [*values, *more]
    return texts, values


def get_scope(vault: Vault, user_id: str, platform: str) -> Scope:
    """Return the current scope: published VMOCs, live permissions and territories."""
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
    for name, one in vmocs.items():
        problem = _find_problem(vault, name, one, user)
        if problem:
            broken[name] = problem
        elif permissions.allows(vault, user, name, "read"):
            rules[name] = _build_rule(vault, name, one, user)
    return Scope(
        rules={name: _with_dependency_name(rules, rule) for name, rule in rules.items()}, broken=broken
    )


def _hide_unreadable_profile(vault: Vault, user: JsonDict) -> JsonDict:
    """Remove the profile from a user who cannot read application profiles."""
    readable = permissions.can_read_all_fields(vault, user, permissions.PROFILES)
    return user if readable else user | {"application_profile": None}


def _with_dependency_name(rules: Mapping[str, ScopeRule], rule: ScopeRule) -> ScopeRule:
    """The rule under a name that also changes with every rule that its records hang on."""
    names: list[str] = []
    waiting = [rule.object]
    while waiting:
        one = rules.get(waiting.pop())
        if one is None or one.fingerprint in names:
            continue
        names.append(one.fingerprint)
        if one.type == "related_to_top_level__v" and one.parent:
            waiting.append(one.parent)
        waiting += [
            c.object for c in rules.values() if c.type == "child_and_parent_row__v" and c.parent == one.object
        ]
    return replace(rule, fingerprint=short_hash(*names))


def _find_problem(vault: Vault, name: str, one: JsonDict, user: JsonDict) -> tuple[str, str, str] | None:
    if name not in vault.live["object"]:
        return (
            "INVALID_DATA",
            f"VMOC [{name}]: the object [{name}] does not exist in this Vault",
            "sync-configuration",
        )
    if not vault.live["object"][name].get("active", True):
        return "INVALID_DATA", f"VMOC [{name}]: the object [{name}] is inactive", "sync-configuration"
    try:
        condition = parse(one["where_clause__v"], _tokens(user))
    except InvalidClause as bad:
        return "INCORRECT_QUERY_SYNTAX_ERROR", f"VMOC [{name}]: {bad}", "sync-configuration"
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
    heads = [path for path in paths(condition) if "." not in path]
    return next((head for head in heads if head not in fields and head not in SYSTEM_FIELDS), None)


def _build_rule(vault: Vault, name: str, one: JsonDict, user: JsonDict) -> ScopeRule:
    definition = vault.live["object"][name]
    territories = (EVERYWHERE,) if definition["sharing"] == "public" else tuple(sorted(user["territories"]))
    hidden = permissions.hidden_fields(vault, user, name)
    token_values = [_tokens(user)] if "@@" in one["where_clause__v"] else []
    return ScopeRule(
        object=name,
        type=one["type__v"],
        territories=territories,
        condition=parse(one["where_clause__v"], _tokens(user)),
        parent=one["parent_object__v"],
        hidden=hidden,
        fingerprint=short_hash(
            to_sorted_json(one), territories, hidden, sorted(definition["fields"]), *token_values
        ),
        enhanced=one["enable_enhanced_sync__v"],
        rows=not one["meta_data_only__v"],
        attachments=bool(one["include_attachments__v"] and definition.get("allow_attachments")),
    )


def _tokens(user: JsonDict) -> Mapping[str, Value]:
    return {
        "@@USER_APP_PROFILE_ID@@": user["application_profile"],
        "@@USER_LANGUAGE_CODE@@": user["language"],
        "@@USER_LABEL_SET@@": user.get("label_set__sys"),
    }
