"""Answers: a connection to a store in, frames and small values out. Knows nothing of who wrote the store."""

from analysis.errors import AnalysisError
from analysis.filters import FILTERS
from analysis.issues import Health, Issue, health, issue, list_issues
from analysis.metrics import METRICS, Metric, measure
from analysis.search import parse_query

__all__ = [
    "FILTERS",
    "METRICS",
    "AnalysisError",
    "Health",
    "Issue",
    "Metric",
    "health",
    "issue",
    "list_issues",
    "measure",
    "parse_query",
]
