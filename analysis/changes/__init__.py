"""What changed: change points of counts, and the change of configuration that came before an issue."""

from analysis.changes.points import ChangePoint, change_points

__all__ = ["ChangePoint", "change_points"]
