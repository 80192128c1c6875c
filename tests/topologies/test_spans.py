"""From a span's words to its states, upgrade by upgrade."""

from __future__ import annotations

from typing import Any

import pytest

from topologies.ageing.conditions import OPTICS, plant_of
from topologies.ageing.plant import Plant
from topologies.errors import PhysicsError
from topologies.linkstate import LinkState
from topologies.spans import campus_grade, span_states
from topologies.spec import FabricSpec, SpanSpec
from topologies.units import YEAR_NS
from topologies.upgrades.catalogue import UPGRADES, upgraded

AGED = {"route": "80 km", "condition": "aged-10g-ook", "age": "15 years"}


def states(spec: dict[str, Any], *upgrades: str, seed: int = 7) -> list[LinkState]:
    return span_states("north-south", SpanSpec.model_validate(spec), list(upgrades), seed, 9000)


def test_a_stated_span_is_as_stated() -> None:
    spec = {"rate": "1 Gbit/s", "delay": "3 ms", "loss": 0.01, "queue": "1 MB"}
    assert states(spec) == [LinkState(10**9, 3 * 10**6, 0.01, 10**6, 9000)]


def test_a_route_without_a_delay_is_glass() -> None:
    assert states({"rate": "1 Gbit/s", "route": "100 km"})[0].delay_ns == 489_700
    assert states({"rate": "1 Gbit/s", "route": "100 km", "delay": "0 ms"})[0].delay_ns == 0


def test_an_aged_span_is_slow_lossy_and_the_same_for_the_same_seed() -> None:
    (aged,) = states(AGED)
    assert aged.rate_bps == 10**10
    assert 0 < aged.loss < 1
    assert states(AGED) == [aged]
    assert len({states(AGED, seed=seed)[0].loss for seed in range(5)}) == 5


def test_upgrades_compose_one_after_the_other() -> None:
    aged, clean, coherent, hollow = states(
        AGED, "clean-and-resplice", "coherent-400g", "hollow-core"
    )
    assert clean.loss < aged.loss
    assert clean.rate_bps == aged.rate_bps
    assert coherent.rate_bps == 400 * 10**9
    assert coherent.loss == 0
    assert coherent.delay_ns < aged.delay_ns, "the compensating fibre is gone"
    assert hollow.delay_ns < coherent.delay_ns
    assert states(AGED, "clean-and-resplice")[1] == clean


def test_an_upgrade_leaves_what_it_does_not_name() -> None:
    plant = plant_of("oc48-ring", 200_000, 15 * YEAR_NS)
    clean = upgraded(plant, "clean-and-resplice")
    assert (clean.optics, clean.oeo_sites, clean.age_ns) == ("oc48-ook", 4, 15 * YEAR_NS)
    assert (clean.dirt_db, clean.new_fibre) == (0, True)
    assert upgraded(plant, "coherent-400g").oeo_sites == 0


def test_error_correction_is_switched_on_where_there_is_an_encoder() -> None:
    spec = {**AGED, "route": "70 km"}
    aged, corrected = states(spec, "enable-fec")
    assert corrected.loss == 0 < aged.loss
    assert corrected.delay_ns == aged.delay_ns + 60_000


@pytest.mark.parametrize(
    ("spec", "upgrade", "reason"),
    [
        ({"route": "80 km", "condition": "coherent-400g"}, "enable-fec", "no G.709 encoder"),
        ({"route": "80 km", "rate": "1 Gbit/s"}, "enable-fec", "no G.709 encoder"),
        ({"route": "80 km", "rate": "1 Gbit/s"}, "clean-and-resplice", "states no condition"),
        ({"delay": "1 ms", "rate": "1 Gbit/s"}, "coherent-400g", "no route to upgrade along"),
        ({**AGED, "route": "2000 km"}, "coherent-400g", "does not work over 2000 km"),
    ],
)
def test_upgrades_that_do_not_fit_are_refused_by_name(
    spec: dict[str, Any], upgrade: str, reason: str
) -> None:
    with pytest.raises(PhysicsError, match=rf"^network\.spans\.north-south: .*{reason}"):
        states(spec, upgrade)


def test_optics_on_a_stated_route_are_as_good_as_new() -> None:
    _, upgraded_state = states({"route": "48 km", "rate": "40 Gbit/s"}, "replace-with-dark-fibre")
    assert upgraded_state.rate_bps == 400 * 10**9
    assert upgraded_state.loss == 0


def test_the_catalogue_is_sound() -> None:
    fields = set(Plant.__dataclass_fields__)
    for name, upgrade in UPGRADES.items():
        changes = upgrade.changes.model_dump(exclude_none=True)
        assert changes, name
        assert set(changes) <= fields
        assert changes.get("optics", "10g-ook") in OPTICS
        assert upgrade.summary


def test_no_upgrade_makes_a_span_worse() -> None:
    spec = {**AGED, "route": "70 km"}
    for name in UPGRADES:
        before, after = states(spec, name)
        assert after.rate_bps >= before.rate_bps, name
        assert after.loss <= before.loss, name


def test_a_stated_queue_is_kept_until_optics_change() -> None:
    aged, _ = states({**AGED, "queue": "3 MB"}, "coherent-400g")
    assert aged.queue_bytes == 3_000_000


def test_the_reference_is_the_slowest_campus() -> None:
    slow = FabricSpec.model_validate({"rate": "10 Gbit/s", "delay": "5 us"})
    grade = campus_grade([FabricSpec(), slow], 1500)
    assert (grade.rate_bps, grade.delay_ns, grade.loss, grade.mtu) == (10**10, 5_000, 0.0, 1500)
