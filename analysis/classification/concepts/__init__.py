"""Concepts in error messages, in any language."""
