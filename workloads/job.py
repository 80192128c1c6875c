"""The job that the launcher is given: who trains what, where, for how long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from workloads.option import Value
from workloads.variation import Variation


@dataclass(frozen=True)
class Rank:
    """One worker process.

    Attributes:
        rank: its number among all workers; those of one site are neighbours in the ring.
        site: the campus it stands on.
        host: the name of its machine.
        address: its IPv4 address.
        interface: the network interface it trains through.
        netns: path of its network namespace, or None for the launcher's own.
        speed: of its accelerator, as a multiple of that whose time the job states.
    """

    rank: int
    site: str
    host: str
    address: str
    interface: str
    netns: str | None = None
    speed: float = 1.0


@dataclass(frozen=True)
class Keep:
    """What ranks keep, each in a file of its host, so that a later job may go on from there.

    All keep what they hold at the job's end.

    Attributes:
        folder: where the files of all hosts are.
        every: steps from one checkpoint to the next, or None for none before the end.
        on_failure: whether ranks also keep what they hold when an exchange fails.
    """

    folder: str
    every: int | None = None
    on_failure: bool = False

    def file(self, me: Rank) -> Path:
        """Return the file of a rank."""
        return Path(self.folder) / f"{me.host}.state"


@dataclass(frozen=True)
class Job:
    """A training job in emulated quantities.

    Attributes:
        strategy: how gradients are exchanged, a name of `workloads.strategies`.
        gradient_bytes: bytes of gradients all-reduced per step.
        bucket_bytes: gradients are all-reduced in buckets of about this size.
        compute_ns: mean forward and backward time of one step on accelerators of speed 1.
        steps: the step before which the job ends; it begins at 0, or where ranks kept to.
        seed: of the initial parameters and the data.
        timeout_s: how long a collective may take before it fails.
        port: of the rendezvous on rank 0.
        hosts_file: addresses and names of all machines, which stand in for name service, or None.
        log_folder: where each rank's output goes.
        options: those of the strategy that are stated.
        task: what ranks learn, a name of `workloads.tasks`.
        task_options: all of them, with what follows from its size.
        variation: how compute time differs from step to step and from rank to rank.
        keep: what ranks keep of it, or None for nothing.
    """

    ranks: tuple[Rank, ...]
    strategy: str
    gradient_bytes: int
    bucket_bytes: int
    compute_ns: int
    steps: int
    seed: int
    timeout_s: float
    port: int
    hosts_file: str | None
    log_folder: str
    options: dict[str, Value] = field(default_factory=dict)
    task: str = "synthetic"
    task_options: dict[str, Value] = field(default_factory=dict)
    variation: Variation = field(default_factory=Variation)
    keep: Keep | None = None

    def place(self, me: Rank) -> int:
        """Return a rank's number among those of this job, as its process group has it."""
        return [rank.rank for rank in self.ranks].index(me.rank)

    def rank(self, number: int) -> Rank:
        """Return the rank that has a number among all workers."""
        return next(rank for rank in self.ranks if rank.rank == number)

    def log(self, rank: int) -> Path:
        """Return the log file of a rank."""
        return Path(self.log_folder) / f"rank-{rank}.log"

    def declared_ns(self, me: Rank, step: int) -> int:
        """Return how long forward and backward of a rank's step should take."""
        factor = self.variation.factor(self.seed, me.rank, step)
        return int(self.compute_ns * factor / me.speed)

    def to_json(self) -> str:
        """Return the job as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Job:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        ranks = tuple(Rank(**rank) for rank in data["ranks"])
        keep = Keep(**data["keep"]) if data["keep"] else None
        variation = Variation(**data["variation"])
        return Job(**{**data, "ranks": ranks, "variation": variation, "keep": keep})
