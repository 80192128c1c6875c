"""Jobs that learn the language, on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.workloads.launcher import loopback_job
from workloads import tasks
from workloads.job import Job
from workloads.lesson import Lesson
from workloads.sizes import Sized

TASK = "language-model"


def sized(gradient_bytes: int, **stated: Any) -> Sized:
    return tasks.sized(TASK, tasks.settled(TASK, stated), gradient_bytes, 10**6)


def job_of(folder: Path, gradient_bytes: int = 60_000, ranks: int = 2, **changes: Any) -> Job:
    model = sized(gradient_bytes, **changes.pop("task_options", {}))
    return loopback_job(
        folder,
        ranks,
        **{
            "gradient_bytes": model.gradient_bytes,
            "task": TASK,
            "task_options": dict(model.options),
            "compute_ns": 0,
            **changes,
        },
    )


def lesson_of(job: Job, rank: int = 0) -> Lesson:
    torch.manual_seed(job.seed)
    return tasks.lesson(job, job.ranks[rank])
