"""What people decided about issues: these belong together, that one stands alone. Rules speak of content ids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class GroupingRules:
    """Merges in force: `into` maps the id that the content gives to the id of the issue that took it in."""

    into: dict[str, str] = field(default_factory=dict)

    def merge(self, issue: str, target: str) -> GroupingRules:
        """Put `issue` into `target`. A merge that would close a circle changes nothing."""
        if self.resolve(target) == self.resolve(issue):
            return self
        return replace(self, into=self.into | {self.resolve(issue): self.resolve(target)})

    def unmerge(self, issue: str) -> GroupingRules:
        """Let `issue` stand for itself again; what was merged into it stays with it."""
        return replace(self, into={key: value for key, value in self.into.items() if key != issue})

    def resolve(self, issue: str) -> str:
        """Give the issue that events with this content id belong to."""
        seen = {issue}
        while (target := self.into.get(issue)) is not None and target not in seen:
            seen.add(target)
            issue = target
        return issue
