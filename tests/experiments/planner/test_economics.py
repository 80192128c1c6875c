"""What incoherence costs, by hand."""

from __future__ import annotations

import pytest

from experiments.planner.economics import (
    HOURS_PER_MONTH,
    Fleet,
    leases,
    payback_days,
    waste_of,
)

FLEET = Fleet({"north": 600, "south": 400}, hour_usd=2.0)


def test_waste() -> None:
    waste = waste_of(FLEET, 0.25)
    assert waste.stranded == 750
    assert waste.usd_per_day == 750 * 2 * 24
    assert waste_of(FLEET, 1.02).stranded == 0


def test_payback() -> None:
    assert payback_days(FLEET, 0.5, 0.75, 12_000 * 24) == pytest.approx(24.0)
    assert payback_days(FLEET, 0.5, 0.5, 100) is None
    assert payback_days(FLEET, 0.5, 0.9, None) is None


def test_a_campus_is_worth_what_the_others_cannot_do_without_it() -> None:
    north, south = leases(FLEET, 0.9, lambda campus: 1.0, cost_usd=0.0, months=12)
    assert north.usd_per_hour == pytest.approx((0.9 * 1000 - 400) * 2)
    assert south.usd_per_hour == pytest.approx((0.9 * 1000 - 600) * 2)
    assert south.usd_per_accelerator_hour == pytest.approx(south.usd_per_hour / 400)
    (poor, _) = leases(FLEET, 0.3, lambda campus: 1.0, cost_usd=0.0, months=12)
    assert poor.usd_per_hour < 0, "linked, they do less than the other one alone"


def test_the_links_are_paid_for_by_the_month() -> None:
    free, paid = (
        leases(FLEET, 0.9, lambda campus: 1.0, cost, months=10)[0].usd_per_hour
        for cost in (0.0, 10 * HOURS_PER_MONTH)
    )
    assert free - paid == pytest.approx(1.0)
