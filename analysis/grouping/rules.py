"""What people decided about issues: these belong together, that one stands alone. Rules name messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import pandas as pd

from analysis.grouping.masks import fold_all

Rule = Mapping[str, Any]


def apply_rules(events: pd.DataFrame, issues: Sequence[str], rules: Iterable[Rule]) -> list[str]:
    """Give each event its issue after merges and unmerges.

    `issues` are the issues by content, one per row of `events`. A rule has a `kind`, merge or unmerge, and a
    `content` with `messages`, or `issues` by their ids. A merge joins every issue that holds one of its
    messages, and the joined issue is called by the smallest id. An unmerge with the content of a merge takes
    that merge back; any other sets the events with its messages apart. The order of rules does not matter.
    """
    standing = _standing(rules)
    if not standing:
        return list(issues)
    folded = fold_all("" if pd.isna(message) else str(message) for message in events["message"])
    texts = ["" if pd.isna(message) else folded[str(message)] for message in events["message"]]
    joined = _join(texts, issues, [content for kind, content in standing if kind == "merge"])
    apart: set[str] = set()
    for kind, content in standing:
        if kind == "unmerge":
            apart |= _folded(content)
    return [
        _alone(issue, text) if text in apart else joined.get(issue, issue)
        for issue, text in zip(issues, texts, strict=True)
    ]


def _standing(rules: Iterable[Rule]) -> list[tuple[str, Rule]]:
    by_content: dict[str, dict[str, Rule]] = {}
    for rule in rules:
        key = json.dumps(rule["content"], sort_keys=True)
        by_content.setdefault(key, {})[rule["kind"]] = rule["content"]
    return [next(iter(kinds.items())) for _, kinds in sorted(by_content.items()) if len(kinds) == 1]


def _join(texts: Sequence[str], issues: Sequence[str], merges: Iterable[Rule]) -> dict[str, str]:
    parents: dict[str, str] = {}

    def root(issue: str) -> str:
        while issue in parents:
            issue = parents[issue]
        return issue

    for content in merges:
        wanted, named = _folded(content), set(content.get("issues", ()))
        met = {
            root(issue) for issue, text in zip(issues, texts, strict=True) if text in wanted or issue in named
        }
        for issue in met - {min(met, default="")}:
            parents[issue] = min(met)
    return {issue: root(issue) for issue in set(issues)}


def _folded(content: Rule) -> set[str]:
    return set(fold_all(map(str, content.get("messages", ()))).values())


def _alone(issue: str, text: str) -> str:
    return sha256(f"{issue}\x1f{text}".encode("utf-8", "replace")).hexdigest()[:12]
