"""The scenario file: the real system in real units, and what happens to it."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    model_validator,
)

from controller import policies
from experiments.computespec import ComputeSpec, StragglersSpec, compute_of
from experiments.emulatespec import EmulateSpec, auto_scaled
from experiments.moments import check_moments
from experiments.movecheck import check_moves
from experiments.strategyspec import AsStrategy, Chosen, StrategySpec
from experiments.taskspec import TaskSpec, task_of
from experiments.timeline import MOVES, TimelineEvent
from topologies.catalogue import Catalogue, bundled
from topologies.errors import NetworkError
from topologies.files import FileError, FileModel, inside, read_model, read_yaml
from topologies.spec import Name, NetworkSpec
from topologies.suggest import names_of, one_of, unknown
from topologies.units import Duration, Rate, Size
from topologies.upgrades.upgrade import Usd
from workloads import strategies, tasks

MAX_STEPS = 100_000


class DemandSpec(FileModel):
    """Traffic between two campuses that policies may plan for."""

    source: Name = Field(alias="from", description="the campus that sends")
    target: Name = Field(alias="to", description="the campus that receives")
    rate: Rate | None = Field(None, gt=0, description="without it, as much as it can get")
    over: tuple[Name, ...] = Field((), strict=False, description="spans to cross, in order")
    dscp: int | None = Field(None, ge=0, le=63, description="marks its packets")
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(
        (), strict=False, description="TCP or UDP ports that mark its packets"
    )


class ControllerSpec(FileModel):
    """Who decides where traffic goes."""

    policy: Annotated[str, one_of("policy", policies.names())] = Field(
        default="shortest-delay", description="which way traffic takes"
    )
    demands: tuple[DemandSpec, ...] = Field(
        default=(), strict=False, max_length=1024, description="traffic that policies plan for"
    )
    probing: bool = Field(
        default=False,
        description="also while training: costs switches and ranks up to a tenth of their time",
    )


class WorkloadSpec(FileModel):
    """What is trained, in the real system's quantities."""

    strategy: AsStrategy = Field(
        default=StrategySpec(),
        description="how gradients or parameters meet, a name or with options",
    )
    task: Annotated[
        TaskSpec,
        BeforeValidator(task_of, json_schema_input_type=names_of(tasks.names()) | TaskSpec),
    ] = Field(default=TaskSpec(), description="what ranks learn, a name or with options")
    gradients: Size = Field(description="bytes all-reduced per step")
    bucket: Size = Field(25 * 2**20, description="gradients are all-reduced in buckets this large")
    computing: Annotated[
        ComputeSpec, BeforeValidator(compute_of, json_schema_input_type=Duration | ComputeSpec)
    ] = Field(alias="compute", description="forward and backward of one step on the accelerators")
    stragglers: StragglersSpec | None = Field(
        default=None, description="steps that take longer by chance; none unless stated"
    )
    steps: int = Field(ge=2, le=MAX_STEPS, description="of the whole run, the reference included")
    reference_steps: int = Field(10, ge=3, description="first steps, with campus-grade spans")
    timeout: Duration | None = Field(
        None, description="of a collective; without it 30 s of emulated time"
    )
    recovery: Literal["none", "restart", "continue"] = Field(
        "none",
        description="when ranks are lost: fail at once, let all restart from a checkpoint, "
        "or go on with those that are left",
    )
    checkpoint: int | None = Field(
        None, ge=1, description="steps from one to the next, 10 without it; for recovery: restart"
    )

    @property
    def compute(self) -> int:
        """Return the mean of a step's compute time, in ns."""
        return self.computing.mean

    @model_validator(mode="after")
    def _something_to_do(self) -> WorkloadSpec:
        if self.gradients == 0:
            raise ValueError("gradients must be above 0")
        if self.bucket == 0:
            raise ValueError("bucket must be above 0")
        if self.timeout is not None and self.timeout < 10**9:
            raise ValueError("timeout must be 1 s or more")
        if self.checkpoint is not None and self.recovery != "restart":
            raise ValueError('checkpoint needs "recovery: restart", which goes back to it')
        if self.steps <= self.reference_steps:
            raise ValueError(
                f"steps ({self.steps}) must be more than reference_steps ({self.reference_steps}), "
                "which they include"
            )
        return self


class TargetSpec(FileModel):
    """What the experiment hopes for."""

    coherence: float = Field(
        default=0.95, gt=0, le=1, description="over the spans against one campus alone"
    )
    loss: float | None = Field(
        default=None, gt=0, strict=False, description="of all ranks, whose time is measured"
    )


class PlanSpec(FileModel):
    """What a plan weighs upgrades by; prices are the user's, none is invented."""

    months: float = Field(
        default=36, gt=0, le=1200, strict=False, description="that monthly costs run"
    )
    costs: dict[Name, Usd] = Field(
        default_factory=dict, description="US dollars per upgrade, in place of the catalogue's"
    )
    upgrades: tuple[Name, ...] | None = Field(
        default=None, strict=False, description="those to choose from; by default all that fit"
    )
    accelerator_hour: Usd = Field(
        default=None, description="US dollars that an accelerator's work is worth per hour"
    )


class Scenario(FileModel):
    """One experiment."""

    name: Name = Field(description="of the experiment and of its run folders")
    seed: int = Field(default=0, ge=0, lt=2**32, description="every random draw comes from it")
    network: NetworkSpec = Field(description="campuses and the spans between them")
    controller: ControllerSpec = Field(
        default_factory=ControllerSpec, description="who decides where traffic goes"
    )
    workload: WorkloadSpec = Field(description="what is trained")
    emulate: Annotated[
        EmulateSpec,
        BeforeValidator(auto_scaled, json_schema_input_type=EmulateSpec | Literal["auto"]),
    ] = Field(default=EmulateSpec(), description="how much smaller and slower the emulated twin is")
    timeline: tuple[TimelineEvent, ...] = Field(
        default=(), strict=False, description="what happens while training runs, in order"
    )
    target: TargetSpec = Field(default=TargetSpec(), description="what the experiment hopes for")
    plan: PlanSpec = Field(default=PlanSpec(), description="what spanlab plan weighs upgrades by")
    catalogue: Catalogue = Field(
        default=Catalogue(),
        description="conditions and upgrades of your own, beside the bundled ones",
    )

    @property
    def known(self) -> Catalogue:
        """Return the project's catalogue with what this scenario adds to it."""
        return bundled().with_more(self.catalogue)

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        workers = sum(campus.workers for campus in self.network.campuses.values())
        if workers < 2:
            raise ValueError("network: one worker alone has nobody to train with; add workers")
        self._check_names()
        self._check_drains()
        for chosen in self.strategies:
            self._check_strategy(chosen)
        check_moves(self.timeline, self.sites, self.workload.recovery, self.strategies)
        self._check_task()
        check_moments(self.timeline, self.workload.reference_steps, self.workload.steps)
        return self

    def _check_names(self) -> None:
        """Raise ValueError, located, for a name that nothing defines."""
        known, spans, campuses = self.known, self.network.spans, self.network.campuses
        try:
            known.check_names()
        except NetworkError as error:
            raise ValueError(f"catalogue.{error}") from None
        ducts = {span.duct for span in spans.values() if span.duct}
        names: list[tuple[str, str, str, Collection[str]]] = [
            (f"network.spans.{name}.condition", "condition", condition, known.conditions)
            for name, span in spans.items()
            for condition in span.condition or ()
        ]
        for index, event in enumerate(self.timeline):
            kind, targets = "span", set(spans)
            if event.kind in ("fail", "restore"):
                kind, targets = "span, duct or campus", targets | ducts | set(campuses)
            elif event.kind == "policy":
                kind, targets = "policy", set(policies.names())
            elif event.kind in MOVES:
                kind, targets = "campus", set(campuses)
            elif event.kind in ("strategy", "pause"):
                continue
            elif event.kind == "kill":
                kind, targets = "worker", set(self.network.workers)
            names.append((f"timeline.{index}.{event.kind}", kind, event.target, targets))
            if event.with_:
                names.append((f"timeline.{index}.with", "upgrade", event.with_, known.upgrades))
            if event.with_ in known.upgrades and not known.upgrades[event.with_].live:
                raise ValueError(
                    f"timeline.{index}.with: {event.with_} does nothing to training that runs: its "
                    "connections keep the packet size they agreed on; compare two scenarios' mtu"
                )
        for index, demand in enumerate(self.controller.demands):
            where = f"controller.demands.{index}"
            names.append((f"{where}.from", "campus", demand.source, self.network.campuses))
            names.append((f"{where}.to", "campus", demand.target, self.network.campuses))
            names += [(f"{where}.over", "span", span, spans) for span in demand.over]
        for name in (*(self.plan.upgrades or ()), *self.plan.costs):
            names.append(("plan", "upgrade", name, known.upgrades))
        for where, kind, name, allowed in names:
            if name not in allowed:
                raise ValueError(f"{where}: {unknown(kind, name, allowed)}")
        kinds = {"span": spans, "duct": ducts, "campus": campuses}
        for one, other in combinations(kinds, 2):
            for name in set(kinds[one]) & set(kinds[other]):
                raise ValueError(f'network.spans: "{name}" is both a {one} and a {other}')

    @property
    def strategies(self) -> list[Chosen]:
        """Return what is trained by, in turn."""
        later = [
            Chosen(event.at, event.strategy, f"timeline.{index}.strategy")
            for index, event in enumerate(self.timeline)
            if event.strategy is not None
        ]
        return [Chosen(0, self.workload.strategy, "workload.strategy"), *later]

    def _check_strategy(self, it: Chosen) -> None:
        """Raise ValueError, located, for an option that is wrong or a strategy that cannot run."""
        chosen, where = it.strategy, it.where
        try:
            options = chosen.options
        except ValueError as error:
            raise ValueError(f"{where}.{error}") from None
        if reason := strategies.refuse(chosen.name, self.sites, options):
            raise ValueError(f"{where}: {chosen.name} cannot run: {reason}")
        only, task = strategies.only_task(chosen.name), self.workload.task.name
        if only not in (None, task):
            raise ValueError(f"{where}: {chosen.name} cannot train {task}, only {only}")
        every, reference = options.get("every", 1), self.workload.reference_steps
        if every > reference:
            raise ValueError(
                f"{where}.every: ranks would not meet in the reference of {reference} steps, so "
                f"nothing could be compared with it; let them meet every {reference} steps or "
                f"more often, or make workload.reference_steps {every} or more"
            )

    @property
    def sites(self) -> list[str]:
        """The campus of each rank."""
        campuses = self.network.campuses.items()
        return [name for name, campus in campuses for _ in range(campus.workers)]

    def _check_task(self) -> None:
        """Raise ValueError, located, for an option that is wrong or a loss that is out of reach."""
        try:
            self.workload.task.check()
        except ValueError as error:
            raise ValueError(f"workload.task.{error}") from None
        if reason := self.workload.task.refuse(self.target.loss):
            raise ValueError(f"target.loss: {reason}")

    def _check_drains(self) -> None:
        """Raise ValueError, located, for a drain that leaves no way, or that is out of turn."""
        drained: set[str] = set()
        for index, event in enumerate(self.timeline):
            if event.kind not in ("drain", "undrain"):
                continue
            where = f"timeline.{index}.{event.kind}"
            if (event.target in drained) == (event.kind == "drain"):
                state = "is drained already" if event.kind == "drain" else "is not drained"
                raise ValueError(f'{where}: span "{event.target}" {state}')
            drained ^= {event.target}
            if cut_off := self.network.cut_off_without(drained):
                raise ValueError(
                    f'{where}: without "{event.target}" no span leads to campus "{cut_off[0]}", '
                    "so traffic has nowhere else to go"
                )


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file, with a catalogue.yaml beside it taken in as its ``catalogue``.

    Raises FileError that names file, path, value and what is allowed.
    """
    if path.is_dir():
        raise FileError(f"{path}: is a folder; name a scenario file, such as {path}/lab.yaml")
    beside = path.with_name("catalogue.yaml")
    if beside == path or not beside.is_file():
        return read_model(path, Scenario)
    more = {"catalogue": read_yaml(inside(path.parent, beside.name, str(path)))}
    return read_model(path, Scenario, more)
