"""The report card: how right the causes are, on events whose truth is known."""

from analysis.scoring.card import ReportCard, leave_one_cause_out, report_card, score
from analysis.scoring.markdown import as_markdown, section

__all__ = ["ReportCard", "as_markdown", "leave_one_cause_out", "report_card", "score", "section"]
