"""Select the findings that each context rule checks.

Each function returns the events to check as the frame `candidate` of its rule, or an empty frame. `events` and
`findings` have one row per event, on the same index, and so has the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.classification.catalogue import UNKNOWN
from analysis.classification.context.rules import ContextRule

HINT_CONFIDENCE = 0.7
"""A finding with this confidence or less leaves its cause open."""
_SIMILAR = ["error_type", "object", "field", "operation", "phase"]


def is_vague(findings: pd.DataFrame) -> pd.Series:
    """Return for each finding whether any cause is possible: its cause is unknown or only a hint."""
    return (findings["cause"] == UNKNOWN) | (findings["confidence"] <= HINT_CONFIDENCE)


def can_have_cause(findings: pd.DataFrame, causes: Sequence[str]) -> pd.Series:
    """Return for each finding whether one of `causes` is possible: as its cause, as an alternative or if vague."""
    return findings["cause"].isin(causes) | _has_alternative(findings, causes) | is_vague(findings)


def select_date_limits(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select date limits with a known device."""
    mask = findings["cause"].isin(rule.reads) & events["device_id"].notna()
    return events.loc[mask, ["event_id", "device_id", "occurred_at", "message"]]


def select_permission_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select errors with an object and a user; `is_access_error` marks those whose message is about access."""
    mask = can_have_cause(findings, rule.reads) & events["object"].notna() & events["user_id"].notna()
    selected = events.loc[mask, ["user_id", "object", "field", "operation"]]
    return selected.assign(
        field=selected["field"].fillna(""),
        operation=selected["operation"].fillna("query"),
        occurred_at=events.loc[mask, "occurred_at"],
        is_access_error=(findings["cause"].isin(rule.reads) | _has_alternative(findings, rule.reads))[mask],
    )


def select_record_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select errors that can come from a deleted record; `may_refer` marks those whose message is about records.

    A clear message without alternatives can be confirmed only. Many records refer to a deleted one and fail for
    another reason, so the ids in a message or payload count only if the message is about records.
    """
    is_clear = ~findings["also"].map(bool) & ~is_vague(findings)
    mask = can_have_cause(findings, rule.reads) & (~is_clear | findings["cause"].isin(rule.decides))
    is_about_records = _has_alternative(findings, rule.reads) | findings["cause"].isin(rule.reads)
    return events.loc[mask, ["event_id", "occurred_at"]].assign(may_refer=is_about_records[mask])


def select_peer_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select errors on an object that can come from a missing permission. A vague message is no evidence of it."""
    mask = can_have_cause(findings, rule.reads) & events["object"].notna() & events["user_id"].notna()
    mask &= findings["also"].map(bool) | findings["cause"].isin(rule.reads)
    return _with_empty_text(events.loc[mask, [*_SIMILAR, "user_id", "occurred_at"]], _SIMILAR)


def select_sign_ins(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select unclear sign-in errors, and as evidence the clear ones; `plain` is the cause of a clear one.

    After the sign-in, a 401 means an expired session, whatever the state of the account.
    """
    is_sign_in = events["operation"].eq("sign_in") | (
        events["phase"].eq("connect") & findings["cause"].isin(rule.decides)
    )
    is_open = is_vague(findings) | findings["also"].map(bool)
    mask = is_open & (findings["cause"].isin(rule.reads) | is_vague(findings))
    mask &= is_sign_in & events["user_id"].notna()
    is_plain = findings["cause"].isin(rule.decides) & (findings["confidence"] > HINT_CONFIDENCE)
    is_plain &= ~mask & events["user_id"].notna()
    return _with_plain(events, mask, is_plain, ["event_id", "user_id", "occurred_at"], "", findings["cause"])


def select_version_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select errors with a known device and app version that can come from an outdated app."""
    mask = can_have_cause(findings, rule.reads) & events["app_version"].notna() & events["device_id"].notna()
    selected = events.loc[mask, [*rule.key, "platform", "device_id", "app_version", "occurred_at"]]
    selected = selected.assign(http_status=selected["http_status"].fillna(0).astype(int))
    return _with_empty_text(selected, [*rule.key, "platform"])


def select_connection_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select connection errors with a known device."""
    mask = findings["cause"].isin(rule.reads) & events["device_id"].notna()
    return events.loc[mask, ["event_id", "device_id", "occurred_at"]]


def select_limit_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select errors that can be a used-up limit, and as evidence the clear limit errors (`plain`).

    An error on one record is selected only if its message is about limits.
    """
    is_limit = findings["cause"].isin(rule.decides)
    vague = is_vague(findings)
    mask = _has_alternative(findings, rule.reads) | (is_limit & vague) | (vague & events["object"].isna())
    is_plain = is_limit & (findings["confidence"] > HINT_CONFIDENCE) & ~mask
    columns = ["event_id", "user_id", "device_id", "occurred_at"]
    return _with_plain(events, mask, is_plain, columns, False, pd.Series(True, index=events.index))


def select_vmoc_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select errors on an object outside uploads, because an upload does not read VMOCs."""
    can_be_overruled = findings["also"].map(bool) & findings["cause"].isin(rule.reads)
    mask = can_have_cause(findings, rule.decides) | can_be_overruled
    mask &= _is_outside_upload(events) & events["object"].notna()
    return events.loc[mask, ["event_id", "object", "occurred_at"]]


def select_setting_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select vague errors outside uploads."""
    mask = _is_outside_upload(events) & is_vague(findings)
    return _with_empty_text(events.loc[mask, [*rule.key, "user_id", "occurred_at"]], rule.key)


def select_vague_errors(events: pd.DataFrame, findings: pd.DataFrame, rule: ContextRule) -> pd.DataFrame:
    """Select vague errors on an object."""
    mask = is_vague(findings) & events["object"].notna()
    return _with_empty_text(events.loc[mask, [*rule.key, *_SIMILAR, "user_id", "occurred_at"]], _SIMILAR)


def _has_alternative(findings: pd.DataFrame, causes: Sequence[str]) -> pd.Series:
    wanted = frozenset(causes)
    return findings["also"].map(lambda alternatives: not wanted.isdisjoint(alternatives)).astype(bool)


def _is_outside_upload(events: pd.DataFrame) -> pd.Series:
    return ~events["phase"].fillna("").isin(["", "upload"])


def _with_empty_text(candidates: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return candidates.fillna(dict.fromkeys(columns, ""))


def _with_plain(  # noqa: PLR0917 - private, and called twice
    events: pd.DataFrame,
    mask: pd.Series,
    is_plain: pd.Series,
    columns: list[str],
    unclear: str | bool,
    plain: pd.Series,
) -> pd.DataFrame:
    """Return the candidates, followed by the plain errors if there are candidates."""
    candidates = events.loc[mask, columns].assign(plain=unclear)
    if candidates.empty:
        return candidates
    return pd.concat([candidates, events.loc[is_plain, columns].assign(plain=plain[is_plain])])
