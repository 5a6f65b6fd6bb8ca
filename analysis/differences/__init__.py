"""What is different: combinations of attributes that explain failures, and the questions built on them."""

from analysis.differences.explanations import Explanation, explain

__all__ = ["Explanation", "explain"]
