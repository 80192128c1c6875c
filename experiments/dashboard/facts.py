"""What the page must know of a run before it shows anything: from its manifest alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from controller import policies
from experiments.coherence import COHERENT, DEGRADED
from experiments.dashboard.choices import fitting
from experiments.maplayout import km_of, map_of
from experiments.scenario import Scenario
from experiments.twin import Twin, twin_of
from topologies.errors import NetworkError
from topologies.files import FileError
from topologies.linkstate import LinkState
from topologies.spec import SpanSpec
from topologies.units import exact
from workloads import strategies


@dataclass(frozen=True)
class Facts:
    """A run's scenario and twin, and what the page is told of them."""

    manifest: Mapping[str, Any]
    scenario: Scenario
    twin: Twin

    @property
    def listens(self) -> bool:
        """Return whether the run hears wishes, and tells what it does in ``live.jsonl``."""
        return self.manifest.get("live") is True

    @property
    def spans(self) -> list[str]:
        """Return the spans in the order by which the page numbers them."""
        return list(self.scenario.network.spans)


def facts_of(manifest: Mapping[str, Any], where: str) -> Facts:
    """Read a manifest; raises FileError where another version of spanlab left it."""
    try:
        scenario = Scenario.model_validate(manifest["scenario"])
        return Facts(manifest, scenario, twin_of(scenario))
    except (KeyError, ValidationError, NetworkError) as error:
        told = str(error).replace("\n", " ")
        raise FileError(
            f"{where}: its scenario is of another version of spanlab ({told}); "
            "run it again to look at it"
        ) from None


def told(facts: Facts) -> dict[str, Any]:
    """Return what the page is told: quantities of the real system, lengths in km, times in ms."""
    scenario, network = facts.scenario, facts.scenario.network
    plan = map_of(network)
    workers = [campus.workers for campus in network.campuses.values()]
    return {
        "name": scenario.name,
        "run": facts.manifest.get("run", ""),
        "started": facts.manifest.get("started", ""),
        "time": float(scenario.emulate.time),
        "steps": scenario.workload.steps,
        "reference_steps": scenario.workload.reference_steps,
        "campuses": [
            {"name": name, "x": x, "y": y, "workers": network.campuses[name].workers}
            for name, (x, y) in plan.campuses.items()
        ],
        "spans": [
            {
                "name": name,
                "ends": network.ends_of(name),
                "km": km_of(spec),
                "stated": spec.route is not None,
                "to_scale": plan.spans[name].to_scale,
                "bend": plan.spans[name].bend,
                "about": _about(spec),
                "ages": spec.condition is not None,
                "upgrades": fitting(scenario, name),
                "state": state_told(facts, facts.twin.reference.forward),
            }
            for name, spec in network.spans.items()
        ],
        "ranks": network.workers,
        "bounds": {
            "coherent": COHERENT,
            "degraded": max(DEGRADED, max(workers) / sum(workers)),
            "target": scenario.target.coherence,
        },
        "policy": scenario.controller.policy,
        "policies": policies.descriptions(),
        "strategy": scenario.workload.strategy.name,
        "strategies": _strategies(scenario),
    }


def state_told(facts: Facts, state: LinkState) -> dict[str, Any]:
    """Return one direction's emulated state as that of the real system."""
    scale = facts.scenario.emulate
    return {
        "rate_bps": round(state.rate_bps * scale.time / scale.bytes),
        "delay_ms": round(float(state.delay_ns / scale.time) / 1e6, 4),
        "loss": state.mean_loss,
        "queue_bytes": state.queue_limit_bytes,
        "up": state.up,
    }


def _about(spec: SpanSpec) -> str:
    """Return a span's condition and age, or what the file states of its link."""
    if spec.condition:
        age = f", {exact(spec.age, 'duration')}" if spec.age else ""
        return " and ".join(spec.condition) + age
    return "as the file states it"


def _strategies(scenario: Scenario) -> dict[str, str]:
    """Return by name what each strategy does that could go on from where training is.

    Both that one and its successor must be such that each rank holds all that is needed.
    """
    now, task = scenario.workload.strategy.name, scenario.workload.task.name
    found = {now: strategies.declaration(now).about}
    for name in strategies.names() if strategies.declaration(now).resumes else ():
        declared, options = strategies.declaration(name), strategies.settled(name, {})
        fits = strategies.only_task(name) in (None, task)
        if declared.resumes and fits and not strategies.refuse(name, scenario.sites, options):
            found[name] = declared.about
    return found
