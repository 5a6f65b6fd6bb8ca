"""Suggest a fix for an issue: playbook, evidence, recovery actions and resolution status."""
