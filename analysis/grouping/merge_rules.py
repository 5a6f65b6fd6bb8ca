"""What people decided about issues: these belong together, that one stands alone. Rules name messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import pandas as pd

from analysis.grouping.fingerprint import Content, extract_contents, mask_contents
from analysis.grouping.masks import mask_messages

Rule = Mapping[str, Any]


def apply_grouping_rules(events: pd.DataFrame, issues: Sequence[str], rules: Iterable[Rule]) -> list[str]:
    """Give each event its issue after merges and unmerges.

    `issues` are the issues by content, one per row of `events`. A rule has a `kind`, merge or unmerge, and a
    `content` with `messages`, or with `issues` by their ids and `contents`, which gives what each of them said
    when the rule was made: error type, object, operation, phase and message. A merge joins every issue that
    holds one of its messages or contents, and the joined issue is called by the smallest id. An unmerge with
    the content of a merge takes that merge back; any other sets the events with its messages apart. The order
    of rules does not matter.
    """
    standing = _standing(rules)
    if not standing:
        return list(issues)
    shapes = mask_contents(extract_contents(events))
    joined = _join(shapes, issues, [content for kind, content in standing if kind == "merge"])
    apart: set[str] = set()
    for kind, content in standing:
        if kind == "unmerge":
            apart |= _folded(content)
    return [
        _alone(issue, shape.message) if shape.message in apart else joined.get(issue, issue)
        for issue, shape in zip(issues, shapes, strict=True)
    ]


def _standing(rules: Iterable[Rule]) -> list[tuple[str, Rule]]:
    by_content: dict[str, dict[str, Rule]] = {}
    for rule in rules:
        named = {name: value for name, value in rule["content"].items() if name != "contents"}
        by_content.setdefault(json.dumps(named, sort_keys=True), {})[rule["kind"]] = rule["content"]
    return [next(iter(kinds.items())) for _, kinds in sorted(by_content.items()) if len(kinds) == 1]


def _join(shapes: Sequence[Content], issues: Sequence[str], merges: Iterable[Rule]) -> dict[str, str]:
    parents: dict[str, str] = {}
    holding = set(zip(shapes, issues, strict=True))

    def root(issue: str) -> str:
        while issue in parents:
            issue = parents[issue]
        return issue

    for content in merges:
        wanted, named, said = _folded(content), set(content.get("issues", ())), _said(content)
        met = {
            root(issue)
            for shape, issue in holding
            if shape.message in wanted or issue in named or shape in said
        }
        for issue in met - {min(met, default="")}:
            parents[issue] = min(met)
    return {issue: root(issue) for issue in set(issues)}


def _said(content: Rule) -> set[Content]:
    lists = content.get("contents", {}).values()
    return set(mask_contents([Content(*one) for contents in lists for one in contents]))


def _folded(content: Rule) -> set[str]:
    return set(mask_messages(map(str, content.get("messages", ()))).values())


def _alone(issue: str, text: str) -> str:
    return sha256(f"{issue}\x1f{text}".encode("utf-8", "replace")).hexdigest()[:12]
