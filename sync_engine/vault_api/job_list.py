"""The jobs of a server, kept in memory until it stops."""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_ID = 1201


@dataclass(slots=True)
class Job:
    """One finished job with its file. `last_poll` is when its status was requested, in seconds."""

    id: int
    title: str
    user: str
    at: float
    filename: str
    content: bytes
    last_poll: float | None = None


@dataclass(slots=True)
class JobList:
    """Jobs by id, oldest first. Only the newest `limit` are kept."""

    jobs: dict[int, Job] = field(default_factory=dict)
    limit: int = 100
    started: int = 0

    def start(self, title: str, user: str, at: float, filename: str, content: bytes) -> Job:
        """Add a job and return it."""
        job = Job(FIRST_ID + self.started, title, user, at, filename, content)
        self.started += 1
        self.jobs[job.id] = job
        while len(self.jobs) > self.limit:
            del self.jobs[next(iter(self.jobs))]
        return job
