"""Plants and chains from the bundled catalogue, as the tests of ageing want them."""

from __future__ import annotations

from topologies.ageing.chain import Chain, chain_of
from topologies.ageing.plant import Plant
from topologies.ageing.wear import NEW, Wear
from topologies.catalogue import bundled
from topologies.units import YEAR_NS


def plant(*conditions: str, km: float = 80, years: float = 0) -> Plant:
    return bundled().plant(conditions, round(km * 1000), round(years * YEAR_NS))


def chain(it: Plant, wear: Wear = NEW, mtu: int = 1500) -> Chain:
    assert it.optics is not None
    return chain_of(it, wear, mtu, bundled().code_of(it.optics))
