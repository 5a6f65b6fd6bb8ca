"""Classify error events: by the cause catalogue first, then by context rules that read the store."""
