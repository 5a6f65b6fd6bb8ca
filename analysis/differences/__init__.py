"""What is different: combinations of attributes that explain failures, and the questions built on them."""

from analysis.differences.explanations import Explanation, explain
from analysis.differences.questions import explain_issue, explain_period

__all__ = ["Explanation", "explain", "explain_issue", "explain_period"]
