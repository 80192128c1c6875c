"""Which back end carries the spans, and why another does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.runs import MACHINE
from topologies.emulation.backends import choose_impairer
from topologies.emulation.errors import MachineError
from topologies.linkstate import LinkState, Loss

PLAIN = LinkState(10**9, 10**6)
BITS = replace(PLAIN, loss=Loss(bit_error_rate=1e-9))
BOTH = replace(MACHINE, netem=True, tap=True)


@pytest.mark.parametrize(
    ("netem", "tap", "wanted", "states", "chosen"),
    [
        (True, True, None, [PLAIN], "netem"),
        (True, True, None, [PLAIN, BITS], "relay"),
        (True, True, "relay", [PLAIN], "relay"),
        (False, True, None, [BITS], "relay"),
        (True, False, None, [PLAIN], "netem"),
    ],
)
def test_the_first_that_can_do_all_is_chosen(netem, tap, wanted, states, chosen):
    machine = replace(BOTH, netem=netem, tap=tap)
    assert choose_impairer(machine, wanted, states).impairer == chosen


@pytest.mark.parametrize(
    ("netem", "tap", "wanted", "told"),
    [
        (True, True, "netem", "netem has no loss by bit errors.*relay"),
        (False, True, "netem", "modprobe sch_netem"),
        (True, False, "relay", "modprobe tun"),
        (True, False, None, "netem has no loss by bit errors.*; .*modprobe tun"),
    ],
)
def test_a_refusal_names_what_is_missing_and_what_to_do(netem, tap, wanted, told):
    with pytest.raises(MachineError, match=told):
        choose_impairer(replace(BOTH, netem=netem, tap=tap), wanted, [PLAIN, BITS])
