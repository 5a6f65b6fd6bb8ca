"""The report card: how right the causes are, on events whose truth is known."""

from analysis.scoring.card import ReportCard, report_card, score
from analysis.scoring.markdown import as_markdown

__all__ = ["ReportCard", "as_markdown", "report_card", "score"]
