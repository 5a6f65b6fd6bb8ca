"""Shared basics: errors, text, statistics, versions, and frames for SQL."""
