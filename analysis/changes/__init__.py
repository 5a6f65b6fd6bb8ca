"""What changed: change points of counts, and the change of configuration that came before an issue."""

from analysis.changes.points import ChangePoint, change_points
from analysis.changes.suspicion import Suspect, suspects

__all__ = ["ChangePoint", "Suspect", "change_points", "suspects"]
