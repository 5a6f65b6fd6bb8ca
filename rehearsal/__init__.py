"""The rehearsal: an issue's situation rebuilt in the reference engine, and each candidate tried on a copy."""

from rehearsal.result import CANDIDATE_COLUMNS, Candidate, Rehearsal
from rehearsal.run import MOST_DEVICES, rehearse, rehearse_in

__all__ = ["CANDIDATE_COLUMNS", "MOST_DEVICES", "Candidate", "Rehearsal", "rehearse", "rehearse_in"]
