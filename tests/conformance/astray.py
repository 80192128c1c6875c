"""A state that is changed behind its back end's back, and put right again."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from tests.conformance.cases import PLAIN, TRACE
from topologies.emulation.impairer import Impairer
from topologies.emulation.relay.impairer import RelayImpairer
from topologies.linkstate import Duplex

WRONG_BPS = 3_000_000
IN_FORCE_S = 0.3
"""By when a back end that follows a trace with a thread has begun to."""


def astray(impairer: Impairer, span: str) -> dict[str, Any]:
    """Return what a back end says of its span as it was set, changed by somebody, and set again."""

    def told() -> dict[str, str]:
        impairer.counters()
        return impairer.deviations()

    impairer.apply(span, Duplex.both(PLAIN))
    found: dict[str, Any] = {"as set": told()}
    _meddle(impairer, span)
    found["changed"] = told()
    impairer.replay(span, TRACE[:1], time.monotonic_ns())
    time.sleep(IN_FORCE_S)
    found["replayed"] = told()
    impairer.apply(span, Duplex.both(PLAIN))
    found["set again"] = told()
    return found


def _meddle(impairer: Impairer, span: str) -> None:
    """Give one direction another rate, by the means that the back end itself has for it."""
    if isinstance(impairer, RelayImpairer):
        relay = impairer._relays[span]
        wrong = [tuple(array.copy() for array in way) for way in relay.asked]
        wrong[0][0]["rate_bps"] = WRONG_BPS
        relay.ask(wrong)
        return
    change = "tc qdisc change dev span0a2 root handle 1: netem limit 1000"
    subprocess.run([*change.split(), "rate", f"{WRONG_BPS}bit"], check=True)
