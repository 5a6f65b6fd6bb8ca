"""Recipes: how each cause is reproduced in the engine, and the fixes to try."""
