"""A finished run of the tiny scenario, made up from round numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.coherence import PhasePlan, SystemStep, system_steps
from experiments.ondisk import OnDisk
from experiments.record import Record
from experiments.scenario import Scenario
from experiments.session import LegRun, Session, SpanCounters
from experiments.twin import Twin, twin_of
from tests.fakes.scenarios import scenario_of, tiny
from tests.fakes.steps import MS, rank_step
from topologies.emulation.capabilities import Capabilities
from topologies.emulation.impairer import Counters

MACHINE = Capabilities(
    kernel="6.1",
    cpus=2,
    memory_bytes=2**33,
    root=True,
    namespaces=True,
    tap=True,
    netem=False,
    tbf=True,
    kernel_datapath=False,
    realtime=True,
    congestion_controls=("reno",),
    missing=(),
)
REFERENCE_MS, AGED_MS, UPGRADED_MS = 100.0, 400.0, 105.0


class FakeRun:
    """Fourteen steps in three phases: reference to step 3, aged to step 8, upgraded to the end.

    Attributes:
        scenario, twin: what was run.
        record: its folder, with steps and events.
        steps, session: what the result is made from.
    """

    def __init__(
        self,
        folder: Path,
        data: dict[str, Any] | None = None,
        uneven: Sequence[float] = (1.0,) * 14,
    ) -> None:
        """Take the scenario, and by what factor each step is longer than a round number."""
        self.scenario: Scenario = scenario_of(data or tiny())
        self.twin: Twin = twin_of(self.scenario)
        self.record = Record(folder)
        self.record.origin_ns = 0
        ranks = len(self.twin.graph.workers)
        span = next(iter(self.twin.graph.spans))
        even = [REFERENCE_MS] * 4 + [AGED_MS] * 5 + [UPGRADED_MS] * 5
        durations = [ms * factor for ms, factor in zip(even, uneven, strict=True)]
        begin_ms, phases = 1000.0, [PhasePlan("reference", 1000 * MS)]
        for step, duration_ms in enumerate(durations):
            if step in (4, 9):
                kind, upgrade = ("age", None) if step == 4 else ("upgrade", "coherent-400g")
                name = "aged" if step == 4 else f"{span} upgraded"
                phases.append(PhasePlan(name, int(begin_ms * MS)))
                self.record.event(
                    kind, at_ns=int(begin_ms * MS), step=step, target=span, upgrade=upgrade
                )
            for rank in range(ranks):
                self.record.step(rank_step(step, begin_ms, begin_ms + duration_ms, rank=rank))
            begin_ms += duration_ms
        snapshots: list[SpanCounters] = [
            {name: (Counters(bytes=at), Counters(bytes=2 * at)) for name in self.twin.graph.spans}
            for at in (0, 1000, 3000, 6000)
        ]
        reference = dict.fromkeys(self.twin.graph.spans, self.twin.reference)
        states = OnDisk([reference, self.twin.initial, self.twin.final])
        self.session = Session(OnDisk(phases), states, OnDisk(snapshots))
        begun, *_, ended = snapshots
        self.session.legs = [LegRun(tuple(range(ranks)), 0, 1000 * MS, begun, ended)]

    @property
    def steps(self) -> list[SystemStep]:
        return system_steps(self.record.steps, len(self.twin.graph.workers))
