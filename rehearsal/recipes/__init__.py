"""Recipes: the fault that reproduces each cause in the engine, and the fixes to try."""
