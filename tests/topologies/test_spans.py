"""From a span's words to its states, upgrade by upgrade."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from topologies.ageing.plant import Plant
from topologies.catalogue import bundled
from topologies.errors import PhysicsError
from topologies.linkstate import Duplex, Jitter, LinkState, Loss, Red
from topologies.spans import campus_grade, span_states, stated, traced
from topologies.spec import FabricSpec, SpanSpec
from topologies.units import YEAR_NS

AGED = {"route": "80 km", "condition": "aged-10g-ook", "age": "15 years"}
WORKS = {**AGED, "route": "70 km"}


def states(spec: dict[str, Any], *upgrades: str, seed: int = 7) -> list[LinkState]:
    it = SpanSpec.model_validate(spec)
    duplexes = span_states("north-south", it, upgrades, seed, 9000, bundled())
    assert all(duplex.forward == duplex.backward for duplex in duplexes)
    return [duplex.forward for duplex in duplexes]


def test_a_stated_span_is_as_stated() -> None:
    spec = {"rate": "1 Gbit/s", "delay": "3 ms", "loss": 0.01, "queue": "1 MB"}
    assert states(spec) == [LinkState(10**9, 3 * 10**6, Loss(0.01), 10**6, 9000)]


def test_a_route_without_a_delay_is_glass() -> None:
    assert states({"rate": "1 Gbit/s", "route": "100 km"})[0].delay_ns == 489_700
    assert states({"rate": "1 Gbit/s", "route": "100 km", "delay": "0 ms"})[0].delay_ns == 0


def test_an_aged_span_is_slow_lossy_and_the_same_for_the_same_seed() -> None:
    (aged,) = states(AGED)
    assert aged.rate_bps == 10**10
    assert 0 < aged.mean_loss < 1
    assert states(AGED) == [aged]
    assert len({states(WORKS, seed=seed)[0].loss for seed in range(5)}) == 5


def test_upgrades_compose_one_after_the_other() -> None:
    aged, clean, coherent, hollow = states(
        AGED, "clean-and-resplice", "coherent-400g", "hollow-core"
    )
    assert clean.mean_loss < aged.mean_loss
    assert clean.rate_bps == aged.rate_bps
    assert coherent.rate_bps == 400 * 10**9
    assert not coherent.loss
    assert coherent.delay_ns < aged.delay_ns, "the compensating fibre is gone"
    assert hollow.delay_ns < coherent.delay_ns
    assert states(AGED, "clean-and-resplice")[1] == clean


def test_an_upgrade_leaves_what_it_does_not_name() -> None:
    plant = bundled().plant(["oc48-ring"], 200_000, 15 * YEAR_NS)
    clean = bundled().upgraded(plant, "clean-and-resplice")
    assert (clean.optics, clean.oeo_sites, clean.age_ns) == (plant.optics, 4, 15 * YEAR_NS)
    assert (clean.dirt_db, clean.new_fibre) == (0, True)
    assert bundled().upgraded(plant, "coherent-400g").oeo_sites == 0


def test_error_correction_is_switched_on_where_there_is_an_encoder() -> None:
    spec = {**AGED, "route": "70 km"}
    aged, corrected = states(spec, "enable-fec")
    assert not corrected.loss
    assert aged.loss
    assert corrected.delay_ns == aged.delay_ns + 60_000


@pytest.mark.parametrize(
    ("spec", "upgrade", "reason"),
    [
        (
            {"route": "80 km", "condition": "coherent-400g"},
            "enable-fec",
            "CFEC of 400ZR corrects 0.012 of the bits already",
        ),
        ({"route": "80 km", "rate": "1 Gbit/s"}, "enable-fec", "states no condition"),
        ({"route": "80 km", "rate": "1 Gbit/s"}, "clean-and-resplice", "states no condition"),
        ({"delay": "1 ms", "rate": "1 Gbit/s"}, "coherent-400g", "no route to upgrade along"),
        (
            {**AGED, "route": "70 km"},
            "better-fec",
            "enable-fec comes first",
        ),
        (WORKS, "remove-oeo", "no regenerators"),
        (WORKS, "rate-adapt", "no coherent optics"),
        (
            {**AGED, "condition": "aged-10g-fec"},
            "enable-fec",
            r"G.709 RS\(255,239\) corrects 0.0001 of the bits already",
        ),
        ({"route": "1500 km", "rate": "1 Gbit/s"}, "coherent-400g", r"400G over 1500 km.*24 dB"),
        ({"route": "48 km", "condition": "coherent-400g"}, "coherent-400g", "changes nothing"),
        ({"route": "40 km", "condition": "microwave-backup"}, "enable-fec", "radio link"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_upgrades_that_do_not_fit_are_refused_by_name(
    spec: dict[str, Any], upgrade: str, reason: str
) -> None:
    with pytest.raises(PhysicsError, match=rf"^network\.spans\.north-south: .*{reason}"):
        states(spec, upgrade)


def test_a_line_beyond_its_reach_is_refused_as_it_is() -> None:
    with pytest.raises(PhysicsError, match=r"400G over 2000 km does not work.*dB short"):
        states({"route": "2000 km", "condition": "coherent-400g"})
    with pytest.raises(PhysicsError, match="is down after 40 years"):
        states({"route": "120 km", "condition": "aged-10g-fec", "age": "40 years"})


def test_optics_on_a_stated_route_are_as_good_as_new() -> None:
    _, upgraded_state = states({"route": "48 km", "rate": "40 Gbit/s"}, "replace-with-dark-fibre")
    assert upgraded_state.rate_bps == 400 * 10**9
    assert not upgraded_state.loss


def test_the_catalogue_is_sound() -> None:
    fields = set(Plant.__dataclass_fields__)
    for name, upgrade in bundled().upgrades.items():
        changes = upgrade.sets.stated()
        assert set(changes) <= fields, name
        assert upgrade.summary


def test_no_upgrade_makes_a_span_worse() -> None:
    spec = {**AGED, "route": "70 km"}
    fitting = 0
    for name in bundled().upgrades:
        try:
            before, after = states(spec, name)
        except PhysicsError:
            continue
        fitting += 1
        assert after.rate_bps >= before.rate_bps * 0.9, name
        assert after.mean_loss <= before.mean_loss, name
    assert fitting >= 12


def test_upgrades_that_bring_the_line_back_are_found_together() -> None:
    spec = {"route": "2000 km", "rate": "10 Gbit/s"}
    with pytest.raises(PhysicsError, match="does not work"):
        states(spec, "coherent-400g")
    old, slow, fast = states(spec, "coherent-100g", "rate-adapt")
    assert slow.rate_bps < fast.rate_bps < 400 * 10**9
    assert old.delay_ns < slow.delay_ns


def test_years_pass() -> None:
    spec = SpanSpec.model_validate({**AGED, "route": "70 km", "age": "1 year"})
    young, old, new = span_states(
        "x", spec, [20 * YEAR_NS, "clean-and-resplice"], 7, 9000, bundled()
    )
    assert young.forward.mean_loss < old.forward.mean_loss
    assert new.forward.mean_loss <= young.forward.mean_loss
    with pytest.raises(PhysicsError, match="only conditions age"):
        span_states("x", SpanSpec.model_validate(STATED), [YEAR_NS], 7, 9000, bundled())


def test_a_stated_queue_is_kept_until_optics_change() -> None:
    aged, _ = states({**AGED, "queue": "3 MB"}, "coherent-400g")
    assert aged.queue_bytes == 3_000_000


def test_the_reference_is_the_slowest_campus() -> None:
    slow = FabricSpec.model_validate({"rate": "10 Gbit/s", "delay": "5 us"})
    grade = campus_grade([FabricSpec(), slow], 1500)
    assert (grade.rate_bps, grade.delay_ns, grade.loss, grade.mtu) == (10**10, 5_000, Loss(), 1500)


STATED = {"rate": "1 Gbit/s", "delay": "3 ms"}
PLAIN = LinkState(10**9, 3 * 10**6)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"jitter": "1 ms"}, {"jitter": Jitter(10**6)}),
        (
            {"jitter": {"deviation": "1 ms", "distribution": "pareto", "reorder": True}},
            {"jitter": Jitter(10**6, "pareto", reorder=True)},
        ),
        (
            {"jitter": {"distribution": "table", "table": ["1 ms", "3 ms"]}},
            {"jitter": Jitter(10**6, "table", (10**6, 3 * 10**6))},
        ),
        ({"loss": 0.25}, {"loss": Loss(0.25)}),
        ({"loss": {"bit_error_rate": 1e-9}}, {"loss": Loss(bit_error_rate=1e-9)}),
        ({"loss": {"pattern": "0010"}}, {"loss": Loss(pattern="0010")}),
        (
            {"loss": {"gilbert_elliott": {"enter": 0.01, "leave": 0.25}}},
            {"loss": Loss(bad=1.0, enter=0.01, leave=0.25)},
        ),
        ({"queue": "2 MB"}, {"queue_bytes": 2_000_000}),
        ({"queue": {"packets": 50}}, {"queue_packets": 50}),
        (
            {"queue": {"red": {"min": "100 kB", "max": "300 kB", "ecn": True}}},
            {"red": Red(100_000, 300_000, ecn=True)},
        ),
        ({"duplicate": 0.1, "corrupt": 0.2}, {"duplicate": 0.1, "corrupt": 0.2}),
        ({"reorder": 0.1, "up": False}, {"reorder": 0.1, "up": False}),
    ],
    ids=lambda said: ",".join(said) if isinstance(said, dict) else None,
)
def test_every_impairment_can_be_stated(said: dict[str, Any], meant: dict[str, Any]) -> None:
    assert states({**STATED, **said}) == [replace(PLAIN, **meant)]


@pytest.mark.parametrize(
    "said",
    [
        {"jitter": {"distribution": "table"}},
        {"jitter": {"deviation": "1 ms", "distribution": "table", "table": ["1 ms", "2 ms"]}},
        {"jitter": {"distribution": "table", "table": ["1 ms", "1 ms"]}},
        {"jitter": "0 ms"},
        {"loss": {"frames": 0.1, "gilbert_elliott": {"enter": 0.1, "leave": 0.1}}},
        {"loss": {"gilbert_elliott": {"enter": 0.1, "leave": 0}}},
        {"loss": {"pattern": "01x"}},
        {"queue": {"red": {"min": "3 kB", "max": "2 kB"}}},
        {"queue": {"packets": 0}},
        {"corrupt": 1.5},
        {"mtu": 100},
        {"trace": []},
        {"trace": [{"after": "2 s", "up": False}, {"after": "1 s", "up": True}]},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"jitter|loss|queue|corrupt|mtu|trace"):
        SpanSpec.model_validate({**STATED, **said})


def test_each_way_may_differ() -> None:
    spec = SpanSpec.model_validate(
        {**STATED, "loss": 0.1, "forward": {"rate": "2 Gbit/s"}, "backward": {"loss": 0.2}}
    )
    found = stated(spec, PLAIN)
    assert found.forward == replace(PLAIN, rate_bps=2 * 10**9, loss=Loss(0.1))
    assert found.backward == replace(PLAIN, loss=Loss(0.2))
    assert found.worse.rate_bps == 10**9
    assert found.worse.mean_loss == pytest.approx(0.2)


def test_a_trace_builds_each_state_on_the_one_before() -> None:
    trace = [{"after": "1 s", "rate": "1 Mbit/s"}, {"after": "2 s", "up": False}]
    spec = SpanSpec.model_validate({**STATED, "trace": trace})
    slow = replace(PLAIN, rate_bps=10**6)
    assert traced(spec, Duplex.both(PLAIN)) == [
        (10**9, Duplex.both(slow)),
        (2 * 10**9, Duplex.both(replace(slow, up=False))),
    ]
