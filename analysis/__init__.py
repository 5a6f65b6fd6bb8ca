"""Answers: a connection to a store in, frames and small values out. Knows nothing of who wrote the store."""

from analysis.errors import AnalysisError

__all__ = [
    "AnalysisError",
]
