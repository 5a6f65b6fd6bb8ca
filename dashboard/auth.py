"""Sign-in and roles. Without sign-in, every user is an engineer, and only this machine has access.

Sign-in uses Streamlit's OpenID Connect, configured in `.streamlit/secrets.toml` of the working folder
(docs/dashboard.md). The claim named by `SYNCLENS_ROLE_CLAIM` (default: `roles`) has the role, as text or as a list:
`admin`, `engineer` or `viewer`. Without it, a user is a viewer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

import pandas as pd
import streamlit as st

Role = Literal["viewer", "engineer", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "engineer", "admin")
CLAIM_VARIABLE = "SYNCLENS_ROLE_CLAIM"
MASK_VARIABLE = "SYNCLENS_MASK_NAMES"
# Columns that identify a user. Names within messages cannot be detected and stay visible.
USER_COLUMNS = ("user_id", "name", "email", "assignee", "changed_by", "who")
HIDDEN = "hidden"


def is_sign_in_configured() -> bool:
    """Return whether an identity provider is configured."""
    return "is_logged_in" in st.user


def is_signed_in() -> bool:
    """Return whether a user is signed in."""
    return bool(st.user.get("is_logged_in", False))


def current_role() -> Role:
    """Return the role of the current user."""
    if not is_sign_in_configured():
        return "engineer"
    return role_from_claim(st.user.get(os.environ.get(CLAIM_VARIABLE, "roles")))


def role_from_claim(claim: object) -> Role:
    """Return the highest role in a claim, or viewer if it has none."""
    values = [claim] if isinstance(claim, str) else list(claim) if isinstance(claim, Iterable) else []
    return max((role for role in ROLES if role in values), key=ROLES.index, default="viewer")


def can_edit() -> bool:
    """Return whether the user may change states, notes and assignees."""
    return current_role() != "viewer"


def are_names_masked() -> bool:
    """Return whether names and ids of users are hidden from the current user."""
    return current_role() == "viewer" and os.environ.get(MASK_VARIABLE, "") not in ("", "0")


def mask_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with user columns hidden if the current user may not see them."""
    hidden = {name: HIDDEN for name in USER_COLUMNS if name in frame} if are_names_masked() else {}
    return frame.assign(**hidden)


def user_name() -> str | None:
    """Return email or name of the signed-in user; None without sign-in."""
    if not is_sign_in_configured():
        return None
    return str(st.user.get("email") or st.user.get("name") or "") or None
