"""Alerts: rules as data, a book of what is open, delivery, and a preview of all that on history."""

from analysis.alerts.book import AlertBook, Notice, Silence
from analysis.alerts.deliver import (
    Delivery,
    EmailChannel,
    FileChannel,
    WebhookChannel,
    deliver,
    send_unsent,
)
from analysis.alerts.preview import AlertScore, preview_alerts, score_alerts
from analysis.alerts.prometheus import prometheus_text
from analysis.alerts.rules import Firing, Rule, UnusableRules, evaluate, load_rules

__all__ = [
    "AlertBook",
    "AlertScore",
    "Delivery",
    "EmailChannel",
    "FileChannel",
    "Firing",
    "Notice",
    "Rule",
    "Silence",
    "UnusableRules",
    "WebhookChannel",
    "deliver",
    "evaluate",
    "load_rules",
    "preview_alerts",
    "prometheus_text",
    "score_alerts",
    "send_unsent",
]
