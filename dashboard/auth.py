"""Who is looking, and what they may do. Without sign-in everyone here is an engineer, on this machine only.

Sign-in is Streamlit's own OpenID Connect, configured in `.streamlit/secrets.toml` of the working folder
(docs/dashboard.md). The role is read from the claim named by `SYNCLENS_ROLE_CLAIM` (`roles` by default):
a text or a list that holds `admin`, `engineer` or `viewer`; nobody is more than a viewer without it.
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
# Columns that name a person. What a message says of people cannot be told apart and stays.
USER_COLUMNS = ("user_id", "name", "email", "assignee", "changed_by", "who")
HIDDEN = "hidden"


def is_sign_in_configured() -> bool:
    """Whether the secrets of this installation name an identity provider."""
    return "is_logged_in" in st.user


def is_signed_in() -> bool:
    """Whether somebody has signed in."""
    return bool(st.user.get("is_logged_in", False))


def current_role() -> Role:
    """What the person who looks may do."""
    if not is_sign_in_configured():
        return "engineer"
    return role_from_claim(st.user.get(os.environ.get(CLAIM_VARIABLE, "roles")))


def role_from_claim(claim: object) -> Role:
    """The highest role that a claim names; a viewer where it names none."""
    named = [claim] if isinstance(claim, str) else list(claim) if isinstance(claim, Iterable) else []
    return max((one for one in ROLES if one in named), key=ROLES.index, default="viewer")


def can_edit() -> bool:
    """Whether this person may change states, notes and assignees."""
    return current_role() != "viewer"


def are_names_masked() -> bool:
    """Whether people's names and ids are hidden from this person."""
    return current_role() == "viewer" and os.environ.get(MASK_VARIABLE, "") not in ("", "0")


def mask_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy a frame, without the people in it where they are hidden from this person."""
    hidden = {name: HIDDEN for name in USER_COLUMNS if name in frame} if are_names_masked() else {}
    return frame.assign(**hidden)


def user_name() -> str | None:
    """What the signed-in person is called; None without sign-in."""
    if not is_sign_in_configured():
        return None
    return str(st.user.get("email") or st.user.get("name") or "") or None
