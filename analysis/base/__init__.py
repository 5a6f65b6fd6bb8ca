"""Shared values without a subject of their own: errors, text, intervals, versions, frames for SQL."""
