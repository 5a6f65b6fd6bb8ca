"""Refine causes with facts from the store that the message does not contain."""
