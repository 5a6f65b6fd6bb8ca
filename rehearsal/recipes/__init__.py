"""Recipes: how to reproduce each cause in the engine, and which fixes to try."""
