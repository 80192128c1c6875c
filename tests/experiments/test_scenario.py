"""Bad input: one message with the file, the path in it, the value, and what is allowed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from experiments.manifest import quantities
from experiments.scenario import Scenario, load_scenario
from experiments.strategyoptions import emulated
from experiments.twin import twin_of
from tests.fakes.scenarios import STAR, ring, scenario_of, tiny, write
from topologies.errors import NetworkError
from topologies.files import FileError

SCENARIOS = sorted((Path(__file__).parents[2] / "experiments" / "scenarios").glob("*.yaml"))
SPAN = "network__spans__west-east"
CONDITION = {"route": "80 km", "condition": "aged-10g-ook", "age": "15 years"}
EVENT = {"at": "step 9", "upgrade": "west-east", "with": "coherent-400g"}

BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "unknown key": (
        {"workload__stepps": 3},
        ("workload.stepps: unknown key", "allowed: bucket, checkpoint", 'did you mean "steps"?'),
    ),
    "unknown key at the top": (
        {"timline": []},
        (
            "timline: unknown key",
            "allowed: catalogue, controller, emulate",
            'did you mean "timeline"?',
        ),
    ),
    "a worker that is not there": (
        {"workload__recovery": "restart", "timeline": [{"at": "step 9", "kill": "east-w2"}]},
        ('timeline.0.kill: unknown worker "east-w2"', 'did you mean "east-w1"?'),
    ),
    "nobody left to train with": (
        {"timeline": [{"at": "step 9", "leave": "east"}]},
        ("workload.strategy: ddp cannot run from step 9 on, with west", "one worker alone"),
    ),
    "who is there cannot join": (
        {
            "network__campuses__west__workers": 2,
            "timeline": [{"at": "step 8", "leave": "east"}, {"at": "step 9", "leave": "east"}],
        },
        ("timeline.1.leave: east does not take part then",),
    ),
    "a strategy that cannot recover": (
        {"workload__recovery": "restart", "workload__strategy": "top-k"},
        ("workload.strategy: top-k cannot go on with other ranks", "ddp, diloco, fp16"),
    ),
    "a checkpoint that nobody goes back to": (
        {"workload__checkpoint": 5},
        ('checkpoint needs "recovery: restart"',),
    ),
    "unknown runtime": (
        {"emulate__runtime": "dokcer"},
        ("emulate.runtime: ", 'unknown runtime "dokcer"', 'did you mean "docker"?'),
    ),
    "limits without containers": (
        {"emulate__runtime": {"memory": "1 GB"}},
        ("emulate.runtime: memory and cpus limit containers", "{name: docker, ...}"),
    ),
    "a container without room": (
        {"emulate__runtime": {"name": "docker", "memory": "1 MB"}},
        ("emulate.runtime.memory",),
    ),
    "unknown key of a span": (
        {SPAN: {"rate": "1 Gbit/s", "dellay": "1 ms"}},
        ("network.spans.west-east.dellay: unknown key", 'did you mean "delay"?'),
    ),
    "unknown key of a fabric": (
        {"network__campuses__west": {"workers": 1, "fabric": {"kid": "star"}}},
        ("network.campuses.west.fabric.kid: unknown key", 'did you mean "kind"?'),
    ),
    "unknown key of an event": (
        {"timeline": [{**EVENT, "step": 3}]},
        (
            "timeline.0.step: unknown key",
            "allowed: age, at, by, delay, drain, fail, for, jitter, join, kill, leave, loss, pause",
        ),
    ),
    "wrong unit": (
        {SPAN: {"rate": "10 Gb/s", "delay": "1 ms"}},
        ("network.spans.west-east.rate: '10 Gb/s'", 'no rate unit "Gb/s"', "Gbit/s"),
    ),
    "no unit": (
        {"workload__compute": 20},
        ("workload.compute: '20'", 'such as "250 us"'),
    ),
    "unit of another dimension": (
        {SPAN: {"rate": "1 Gbit/s", "delay": "1 km"}},
        ("network.spans.west-east.delay: '1 km'", "allowed: ns, us, ms"),
    ),
    "negative delay": (
        {SPAN: {"rate": "1 Gbit/s", "delay": "-1 ms"}},
        ("network.spans.west-east.delay: '-1 ms'", "a number of 0 or more and a unit"),
    ),
    "rate of zero": (
        {SPAN: {"rate": "0 bit/s", "delay": "1 ms"}},
        ("network.spans.west-east.rate: '0 bit/s'", "greater than 0"),
    ),
    "loss above 1": (
        {SPAN: {"rate": "1 Gbit/s", "delay": "1 ms", "loss": 1.5}},
        ("network.spans.west-east.loss: '1.5'", "less than or equal to 1"),
    ),
    "loss that is no number": (
        {SPAN: {"rate": "1 Gbit/s", "delay": "1 ms", "loss": float("nan")}},
        ("the number is not finite",),
    ),
    "queue of zero": (
        {SPAN: {"rate": "1 Gbit/s", "delay": "1 ms", "queue": "0 B"}},
        ("network.spans.west-east.queue", "greater than 0"),
    ),
    "unknown condition": (
        {SPAN: {**CONDITION, "condition": "aged-10g-okk"}},
        (
            'network.spans.west-east.condition: unknown condition "aged-10g-okk"',
            "allowed: aged-10g-fec",
            'did you mean "aged-10g-ook"?',
        ),
    ),
    "condition without a route": (
        {SPAN: {"condition": "aged-10g-ook"}},
        ("network.spans.west-east", "needs a route", '"24 km"'),
    ),
    "condition and state": (
        {SPAN: {**CONDITION, "rate": "1 Gbit/s"}},
        ("network.spans.west-east", "states both a condition and rate"),
    ),
    "neither condition nor state": (
        {SPAN: {"route": "10 km"}},
        ("network.spans.west-east", "needs a condition (with a route), or a rate"),
    ),
    "rate alone": (
        {SPAN: {"rate": "1 Gbit/s"}},
        ("network.spans.west-east", "needs a delay or a route"),
    ),
    "age without a condition": (
        {SPAN: {"rate": "1 Gbit/s", "delay": "1 ms", "age": "3 years"}},
        ("network.spans.west-east", "only conditions age"),
    ),
    "span to a campus that does not exist": (
        {"network__spans": {"west-eats": {"rate": "1 Gbit/s", "delay": "1 ms"}}},
        (
            "network.spans",
            'span "west-eats"',
            'unknown campus "eats"; allowed: east, west',
            'did you mean "east"?',
        ),
    ),
    "span between campuses that do not exist": (
        {SPAN: {"rate": "1 Gbit/s", "delay": "1 ms", "between": ["west", "eats"]}},
        ("network.spans", 'unknown campus "eats"', 'did you mean "east"?'),
    ),
    "span from a campus to itself": (
        {SPAN: {"rate": "1 Gbit/s", "delay": "1 ms", "between": ["west", "west"]}},
        ("network.spans", 'joins campus "west" to itself'),
    ),
    "span whose name says no campuses": (
        {"network__spans": {"trunk": {"rate": "1 Gbit/s", "delay": "1 ms"}}},
        ("network.spans", 'span "trunk" does not say', "between: [a, b]"),
    ),
    "campus that no span reaches": (
        {"network__campuses__south": {"workers": 1}},
        ("network", 'from campus "west" to "south"', "add one under spans"),
    ),
    "name in capitals": (
        {"name": "Tiny"},
        ("name: 'Tiny'",),
    ),
    "zero workers": (
        {"network__campuses__west__workers": 0},
        ("network.campuses.west.workers: '0'", "greater than or equal to 1"),
    ),
    "half a worker": (
        {"network__campuses__west__workers": 1.5},
        ("network.campuses.west.workers: '1.5'", "integer"),
    ),
    "one worker in all": (
        {"network__campuses": {"west": {"workers": 1}}, "network__spans": {}, "timeline": []},
        ("one worker alone has nobody to train with",),
    ),
    "unknown fabric": (
        {"network__campuses__west__fabric": {"kind": "leafspine"}},
        ("network.campuses.west.fabric.kind: 'leafspine'", "leaf-spine", "ring"),
    ),
    "slow fabric": (
        {"network__campuses__west__fabric": {"delay": "1 ms"}},
        ("network.campuses.west.fabric.delay: '1 ms'", "50 us"),
    ),
    "fabric without a rate": (
        {"network__campuses__west__fabric": {"rate": "0 bit/s"}},
        ("network.campuses.west.fabric.rate: '0 bit/s'", "above 0"),
    ),
    "steps within the reference": (
        {"workload__steps": 4},
        ("workload", "steps (4) must be more than reference_steps (4)"),
    ),
    "no steps": (
        {"workload__steps": 0},
        ("workload.steps: '0'", "greater than or equal to 2"),
    ),
    "no gradients": (
        {"workload__gradients": "0 B"},
        ("workload", "gradients must be above 0"),
    ),
    "event during the reference": (
        {"timeline": [{**EVENT, "at": "step 4"}]},
        ("timeline.0.at: step 4", "after step 4", "before step 14"),
    ),
    "event after the end": (
        {"timeline": [{**EVENT, "at": "step 14"}]},
        ("timeline.0.at: step 14", "before step 14"),
    ),
    "events out of order": (
        {"timeline": [EVENT, {**EVENT, "at": "step 7"}]},
        ("timeline.1.at: step 7", "after step 9"),
    ),
    "event at no step": (
        {"timeline": [{**EVENT, "at": "9"}]},
        ("timeline.0.at: '9'", 'write "step 20"'),
    ),
    "event at a number": (
        {"timeline": [{**EVENT, "at": 9}]},
        ("timeline.0.at: '9'", 'write "step 20"'),
    ),
    "unknown upgrade": (
        {"timeline": [{**EVENT, "with": "coherent-40g"}]},
        (
            'timeline.0.with: unknown upgrade "coherent-40g"',
            "allowed: better-fec, clean-and-resplice",
            'did you mean "coherent-400g"?',
        ),
    ),
    "upgrade of an unknown span": (
        {"timeline": [{**EVENT, "upgrade": "west-eats"}]},
        ("timeline.0.upgrade", 'unknown span "west-eats"', 'did you mean "west-east"?'),
    ),
    "emulate that is no scaling": (
        {"emulate": "atuo"},
        ("emulate: 'atuo' is not a scaling", "write auto", "bytes: 1/1000"),
    ),
    "unknown key of emulate": (
        {"emulate": {"byte": "1/10"}},
        ("emulate.byte: unknown key; allowed: bytes, connections, impairer, runtime, time",),
    ),
    "part of a connection": (
        {"emulate__connections": 0.5},
        ("emulate.connections: '0.5'", "integer"),
    ),
    "no connection": (
        {"emulate__connections": 0},
        ("emulate.connections: '0'", "greater than or equal to 1"),
    ),
    "window of nothing": (
        {"network__window": "0 B"},
        ("network.window: '0 B'", "greater than 0"),
    ),
    "scale of zero": (
        {"emulate": {"bytes": 0, "time": 1}},
        ("emulate", "bytes: '0'", "must lie between"),
    ),
    "scale that is no number": (
        {"emulate": {"bytes": "a tenth", "time": 1}},
        ("emulate", "bytes: 'a tenth'", '"1/1000"'),
    ),
    "missing network": ({"network": None}, ("network: is missing",)),
    "missing workload key": ({"workload__compute": None}, ("workload.compute: is missing",)),
    "unknown policy": (
        {"controller": {"policy": "shortest-dealy"}},
        ("controller.policy: 'shortest-dealy'", 'did you mean "shortest-delay"?'),
    ),
    "unknown strategy": (
        {"workload__strategy": "dpp"},
        ("workload.strategy: 'dpp'", 'did you mean "ddp"?'),
    ),
    "strategy that is a list": (
        {"workload__strategy": ["ddp"]},
        ("workload.strategy", "must be a name, such as ddp"),
    ),
    "unknown strategy with options": (
        {"workload__strategy": {"name": "dilocco", "every": 4}},
        ("workload.strategy.name: 'dilocco'", 'did you mean "diloco"?'),
    ),
    "a strategy for another task": (
        {"workload__strategy": "serving", "workload__task": "language-model"},
        ("workload.strategy: serving cannot train language-model, only synthetic",),
    ),
    "unknown option of a strategy": (
        {"workload__strategy": {"name": "local-sgd", "evry": 4}},
        (
            "workload.strategy.evry: unknown key; allowed: name, every",
            'did you mean "every"?',
        ),
    ),
    "option of another strategy": (
        {"workload__strategy": {"name": "ddp", "every": 4}},
        ("workload.strategy.every: unknown key; allowed: name",),
    ),
    "option out of bounds": (
        {"workload__strategy": {"name": "top-k", "density": 1.5}},
        ("workload.strategy.density: '1.5' must be a number from 1e-06 to 1",),
    ),
    "option that is not whole": (
        {"workload__strategy": {"name": "local-sgd", "every": 2.5}},
        ("workload.strategy.every: '2.5' must be a whole number of 1 or more",),
    ),
    "option that is no number": (
        {"workload__strategy": {"name": "powersgd", "rank": "four"}},
        ("workload.strategy.rank: 'four' must be a whole number from 1 to 1024",),
    ),
    "option that is not a switch": (
        {"workload__strategy": {"name": "int8", "feedback": 1}},
        ("workload.strategy.feedback: '1' must be true or false",),
    ),
    "more fragments than turns": (
        {"workload__strategy": {"name": "streaming-diloco", "every": 2, "fragments": 3}},
        ("workload.strategy: streaming-diloco cannot run", "3 fragments", "every 2 steps"),
    ),
    "pipeline over unequal campuses": (
        {"workload__strategy": "pipeline", "network__campuses__west__workers": 2},
        ("workload.strategy: pipeline cannot run: campuses must have", "west 2, east 1"),
    ),
    "size of an option without a unit": (
        {"workload__strategy": {"name": "pipeline", "activations": 4000}},
        ("workload.strategy.activations: '4000' is not a size", 'such as "2 GB"'),
    ),
    "size of an option that is too small": (
        {"workload__strategy": {"name": "pipeline", "activations": "2 B"}},
        ("workload.strategy.activations: '2' must be a size of 4 B or more",),
    ),
    "ranks that do not meet in the reference": (
        {"workload__strategy": {"name": "diloco", "every": 5}},
        ("workload.strategy.every: ranks would not meet in the reference of 4 steps",),
    ),
    "unknown distribution": (
        {"workload__compute": {"mean": "20 ms", "distribution": "lognormall", "cv": 0.1}},
        ("workload.compute.distribution", "allowed: fixed", 'did you mean "lognormal"?'),
    ),
    "spread without a distribution": (
        {"workload__compute": {"mean": "20 ms", "cv": 0.1}},
        ("workload.compute", "normal, lognormal, gamma", "state both, or neither"),
    ),
    "distribution without a spread": (
        {"workload__compute": {"mean": "20 ms", "distribution": "gamma"}},
        ("workload.compute", "state both, or neither"),
    ),
    "normal times below 0": (
        {"workload__compute": {"mean": "20 ms", "distribution": "normal", "cv": 0.5}},
        ("workload.compute", "below 0", "lognormal or gamma"),
    ),
    "mean without a unit": (
        {"workload__compute": {"mean": 20}},
        ("workload.compute.mean: '20'", 'such as "250 us"'),
    ),
    "stragglers that are not slower": (
        {"workload__stragglers": {"probability": 0.1, "slowdown": 1}},
        ("workload.stragglers.slowdown: '1'", "greater than 1"),
    ),
    "speed for other workers": (
        {"network__campuses__west__speed": [1, 0.5]},
        ("network.campuses.west", "2 numbers for 1 workers", "one for all"),
    ),
    "no speed": (
        {"network__campuses__west__speed": 0},
        ("network.campuses.west.speed.0: '0'", "greater than 0"),
    ),
    "unknown task": (
        {"workload__task": "language-modell"},
        ("workload.task: 'language-modell'", 'did you mean "language-model"?'),
    ),
    "unknown option of a task": (
        {"workload__task": {"name": "language-model", "layer": 4}},
        ("workload.task.layer: unknown key", 'did you mean "layers"?'),
    ),
    "loss of a task that teaches nothing": (
        {"target": {"loss": 1.5}},
        ("target.loss: that of the task synthetic means nothing", "language-model"),
    ),
    "loss below the entropy": (
        {"workload__task": "language-model", "target": {"loss": 0.3}},
        ("target.loss: '0.3' cannot be reached", "0.312 nats per character"),
    ),
    "negative seed": ({"seed": -1}, ("seed: '-1'",)),
    "target above 1": ({"target": {"coherence": 2}}, ("target.coherence: '2'",)),
}


def message(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        load_scenario(path)
    return str(caught.value)


@pytest.mark.parametrize(("changes", "parts"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_located_and_answered(
    tmp_path: Path, changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    path = write(tmp_path, tiny(**changes))
    said = message(path)
    assert all(line.startswith(f"{path}: ") for line in said.splitlines())
    for part in parts:
        assert part in said


@pytest.mark.parametrize("name", sorted(BAD))
def test_one_fault_is_one_line(tmp_path: Path, name: str) -> None:
    assert len(message(write(tmp_path, tiny(**BAD[name][0]))).splitlines()) == 1


@pytest.mark.parametrize("name", sorted(BAD))
def test_messages_are_for_people(tmp_path: Path, name: str) -> None:
    said = message(write(tmp_path, tiny(**BAD[name][0])))
    for jargon in (
        "Spec",
        "[key]",
        "function-",
        "constr",
        "pydantic",
        "NoneType",
        "Traceback",
        "literal",
    ):
        assert jargon not in said
    if "the file: " in said:  # the path in it, and not both
        assert not said.split("the file: ")[1].startswith(tuple(tiny()))


def test_two_spans_of_one_name(tmp_path: Path) -> None:
    path = write(tmp_path, tiny())
    span = "    west-east: {rate: 1 Gbit/s, delay: 1 ms}\n"
    path.write_text(path.read_text().replace("  spans:\n", "  spans:\n" + span))
    assert '"west-east" stands here twice' in message(path)


def test_several_faults_are_all_told(tmp_path: Path) -> None:
    said = message(write(tmp_path, tiny(workload__steps=0, name="X", seed=-1)))
    assert len(said.splitlines()) == 3


def test_a_folder_is_not_a_scenario(tmp_path: Path) -> None:
    assert "is a folder" in message(tmp_path)


def test_what_is_missing_may_be_left_out() -> None:
    scenario = scenario_of(tiny(timeline=None, seed=None))
    assert scenario.timeline == ()
    assert scenario.controller.policy == "shortest-delay"
    assert scenario.target.coherence == 0.95


@pytest.mark.parametrize("stated", ["diloco", {"name": "diloco"}, {"name": "diloco", "every": 10}])
def test_a_strategy_is_a_name_or_holds_one(stated: object) -> None:
    data = tiny(workload__strategy=stated, workload__reference_steps=10, timeline=None)
    chosen = scenario_of(data).workload.strategy
    assert (chosen.name, chosen.options["every"]) == ("diloco", 10)
    assert chosen.options["outer_rate"] == 0.7


def test_numbers_may_be_whole_or_not(tmp_path: Path) -> None:
    loaded = load_scenario(write(tmp_path, tiny(target={"coherence": 1}, emulate__time=0.5)))
    assert loaded.emulate.time * 2 == 1


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_bundled_scenarios_are_valid_and_can_be_built(path: Path) -> None:
    scenario = load_scenario(path)
    assert scenario.name == path.stem
    twin_of(scenario)


@pytest.mark.parametrize("stated", ["auto", None, {"bytes": "auto", "time": "auto"}, {}])
def test_scales_that_are_not_stated_are_left_open(stated: object) -> None:
    assert scenario_of(tiny(emulate=stated)).emulate.auto
    assert scenario_of(tiny(emulate={"bytes": "1/10"})).emulate.auto
    assert not scenario_of(tiny()).emulate.auto


LOCAL = {"name": "local-sgd", "every": 4}


@pytest.mark.parametrize(
    "data",
    [
        tiny(),
        ring(),
        tiny(**{SPAN: CONDITION}),
        tiny(workload__strategy=LOCAL),
        tiny(workload__task={"name": "language-model", "layers": 1}, target={"loss": 1.5}),
        tiny(workload__compute={"mean": "20 ms", "distribution": "gamma", "cv": 0.1}),
        tiny(
            workload__stragglers={"probability": 0.01, "slowdown": 3},
            network__campuses__west={"workers": 2, "speed": [1, 0.5]},
        ),
        tiny(emulate="auto"),
        tiny(emulate={"time": 2, "connections": 8}),
    ],
    ids=str,
)
def test_a_dumped_scenario_is_read_back_the_same(tmp_path: Path, data: dict[str, Any]) -> None:
    scenario = scenario_of(data)
    dumped = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert load_scenario(write(tmp_path, dumped)) == scenario


def test_the_schema_for_editors_can_be_made() -> None:
    schema = Scenario.model_json_schema(by_alias=True)
    assert schema["additionalProperties"] is False
    assert "with" in schema["$defs"]["TimelineEvent"]["properties"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"workload__gradients": "10 kB"}, ("workload.gradients: 10 kB", "emulate.bytes")),
        (
            {"workload__gradients": "50 kB", "workload__task": "language-model"},
            ("workload.task: 5000 B of gradients are too few", "emulate.bytes"),
        ),
        (
            {"emulate__bytes": "1/1000000"},
            ("west-east", "choose a larger"),
        ),
        (
            {SPAN: {"rate": "5 kbit/s", "delay": "1 ms"}, "timeline": []},
            ("west-east", "5 kbit/s", "500 bit/s", "larger"),
        ),
        (
            {SPAN: {"route": "2000 km", "condition": "coherent-400g"}, "timeline": []},
            ("network.spans.west-east: 400G over 2000 km does not work", "dB short"),
        ),
        (
            {"timeline": [{**EVENT, "with": "enable-fec"}]},
            ("network.spans.west-east: enable-fec", "states no condition"),
        ),
    ],
    ids=[
        "gradients vanish",
        "no transformer",
        "everything vanishes",
        "rate vanishes",
        "too far",
        "no place",
    ],
)
def test_what_cannot_be_emulated_says_what_to_change(
    changes: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(NetworkError) as caught:
        twin_of(scenario_of(tiny(**changes)))
    for part in parts:
        assert part in str(caught.value)


def test_a_stated_mtu_below_the_others_rules_the_spans() -> None:
    scenario = scenario_of(tiny(network__campuses__east__fabric={**STAR, "mtu": 1500}))
    assert scenario.network.mtu == 1500
    assert all(change.real.worse.mtu == 1500 for change in twin_of(scenario).changes)


def test_a_runtime_is_a_name_or_has_limits_too() -> None:
    assert scenario_of(tiny()).emulate.runtime.name == "namespace"
    plain = scenario_of(tiny(emulate__runtime="docker")).emulate.runtime
    assert (plain.name, plain.memory_bytes, plain.processors) == ("docker", 10**9, 1.0)
    limits = {"name": "docker", "memory": "300 MB", "cpus": 0.5}
    stated = scenario_of(tiny(emulate__runtime=limits)).emulate.runtime
    assert (stated.memory_bytes, stated.processors) == (300 * 10**6, 0.5)


def test_sizes_among_a_strategys_options_become_emulated_ones() -> None:
    stated = {"name": "pipeline", "activations": "3 MB", "microbatches": 4}
    scenario = scenario_of(tiny(workload__strategy=stated))
    options = scenario.workload.strategy.options
    assert options == {"activations": 3_000_000, "microbatches": 4}
    twice = emulated("pipeline", options, Fraction(1, 9))
    assert twice == {"activations": 333_332, "microbatches": 4}, "whole floats"
    told = {row["quantity"]: row for row in quantities(scenario, twin_of(scenario))}
    assert told["activations of pipeline"]["real"] == "3 MB"
    assert told["activations of pipeline"]["emulated"] == "300 kB"


def test_activations_that_vanish_when_emulated_are_refused() -> None:
    stated = {"name": "pipeline", "activations": "4 kB"}
    with pytest.raises(NetworkError, match="pipeline cannot run when emulated"):
        twin_of(scenario_of(tiny(workload__strategy=stated)))
