"""Apply the merge and unmerge rules that users define for issues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

import pandas as pd

from analysis.grouping.fingerprint import Content, extract_contents, mask_contents
from analysis.grouping.masks import mask_messages

RuleKind = Literal["merge", "unmerge"]
_Criteria = tuple[tuple[str, ...], tuple[str, ...], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingRule:
    """One decision of a user: merge issues into one, or separate messages from their issue.

    A merge joins the issues that contain one of `messages`, or one of the `contents` that its `issues` had when
    the rule was made (issue id to contents). An unmerge makes an issue of each of `messages`; `split_from` is the
    issue that contained them. Messages and contents are compared masked.
    """

    rule_id: str
    kind: RuleKind
    messages: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()
    split_from: str | None = None
    contents: Mapping[str, tuple[Content, ...]] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        kind: RuleKind,
        *,
        messages: Iterable[str] = (),
        issues: Iterable[str] = (),
        split_from: str | None = None,
    ) -> GroupingRule:
        """Return a new rule. Its id is a hash of the arguments, so equal rules have one id."""
        rule = cls(
            rule_id="",
            kind=kind,
            messages=tuple(sorted(messages)),
            issues=tuple(sorted(issues)),
            split_from=split_from,
        )
        text = json.dumps([kind, rule.stored_criteria()], sort_keys=True)
        return replace(rule, rule_id=sha256(text.encode()).hexdigest()[:12])

    @classmethod
    def from_stored(cls, rule_id: str, kind: str, stored: Mapping[str, Any]) -> GroupingRule:
        """Read a rule in the form in which the triage state stores it (`stored`)."""
        if kind not in ("merge", "unmerge"):
            raise ValueError(f"a grouping rule cannot be of kind {kind!r}")
        return cls(
            rule_id=rule_id,
            kind="merge" if kind == "merge" else "unmerge",
            messages=tuple(map(str, stored.get("messages", ()))),
            issues=tuple(map(str, stored.get("issues", ()))),
            split_from=stored.get("of"),
            contents={
                issue: tuple(Content(*values) for values in contents)
                for issue, contents in stored.get("contents", {}).items()
            },
        )

    def stored_criteria(self) -> dict[str, Any]:
        """Return what the user chose, as the triage state stores it."""
        criteria: dict[str, Any] = {}
        if self.messages:
            criteria["messages"] = list(self.messages)
        if self.issues:
            criteria["issues"] = list(self.issues)
        if self.split_from is not None:
            criteria["of"] = self.split_from
        return criteria

    def stored(self) -> dict[str, Any]:
        """Return the criteria with the contents of the issues, as the triage state stores them."""
        return self.stored_criteria() | ({"contents": dict(self.contents)} if self.contents else {})

    def with_contents(self, contents: Mapping[str, Sequence[Content]]) -> GroupingRule:
        """Return the rule with the contents of issues for which it has none yet."""
        added = {issue: tuple(sorted(set(values))) for issue, values in contents.items() if values}
        return replace(self, contents=added | dict(self.contents))


def apply_grouping_rules(
    events: pd.DataFrame, issues: Sequence[str], rules: Iterable[GroupingRule]
) -> list[str]:
    """Return the issue id of each event after merges and unmerges.

    `issues` are the issue ids by content, one per row of `events`. A merged issue has the smallest id of its
    parts. An unmerge with the criteria of a merge reverts that merge. The order of the rules does not matter.
    """
    active_rules = _active_rules(rules)
    if not active_rules:
        return list(issues)
    contents = mask_contents(extract_contents(events))
    merged_ids = _merge(contents, issues, [rule for rule in active_rules if rule.kind == "merge"])
    separated: set[str] = set()
    for rule in active_rules:
        if rule.kind == "unmerge":
            separated |= _masked_messages(rule)
    return [
        _separate_id(issue, content.message) if content.message in separated else merged_ids.get(issue, issue)
        for issue, content in zip(issues, contents, strict=True)
    ]


def _active_rules(rules: Iterable[GroupingRule]) -> list[GroupingRule]:
    """Drop the rules whose criteria are both merged and unmerged."""
    by_criteria: dict[_Criteria, dict[RuleKind, GroupingRule]] = {}
    for rule in rules:
        criteria = (rule.messages, rule.issues, rule.split_from)
        by_criteria.setdefault(criteria, {})[rule.kind] = rule
    return [rule for kinds in by_criteria.values() if len(kinds) == 1 for rule in kinds.values()]


def _merge(
    contents: Sequence[Content], issues: Sequence[str], merges: Iterable[GroupingRule]
) -> dict[str, str]:
    """Map each issue id to the id of its merged issue."""
    parents: dict[str, str] = {}
    distinct = set(zip(contents, issues, strict=True))

    def root(issue: str) -> str:
        while issue in parents:
            issue = parents[issue]
        return issue

    for rule in merges:
        messages, rule_contents = _masked_messages(rule), _masked_contents(rule)
        roots = {
            root(issue)
            for content, issue in distinct
            if content.message in messages or issue in rule.issues or content in rule_contents
        }
        for issue in roots - {min(roots, default="")}:
            parents[issue] = min(roots)
    return {issue: root(issue) for issue in set(issues)}


def _masked_contents(rule: GroupingRule) -> set[Content]:
    return set(mask_contents([content for contents in rule.contents.values() for content in contents]))


def _masked_messages(rule: GroupingRule) -> set[str]:
    return set(mask_messages(rule.messages).values())


def _separate_id(issue: str, message: str) -> str:
    return sha256(f"{issue}\x1f{message}".encode("utf-8", "replace")).hexdigest()[:12]
