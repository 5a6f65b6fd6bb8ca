"""Rehearsal: rebuild an issue in the reference engine and try each fix on a copy."""

from rehearsal.result import CANDIDATE_COLUMNS, Candidate, RehearsalResult
from rehearsal.run import MAX_DEVICES, rehearse

__all__ = ["CANDIDATE_COLUMNS", "MAX_DEVICES", "Candidate", "RehearsalResult", "rehearse"]
