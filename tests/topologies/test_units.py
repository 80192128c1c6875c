"""One converter: text and integers say exactly the same, or the text is refused."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.errors import UnitError
from topologies.units import UNITS, exact, parse, parse_scale, render

DIMENSIONS = st.sampled_from(sorted(UNITS))


@settings(max_examples=100, deadline=None)
@given(DIMENSIONS, st.integers(0, 2**63 - 1))
def test_exact_text_is_parsed_back_to_the_same_value(dimension: str, value: int) -> None:
    assert parse(exact(value, dimension), dimension) == value


@settings(max_examples=100, deadline=None)
@given(st.data(), DIMENSIONS, st.integers(0, 10**6))
def test_a_whole_number_of_any_unit_is_that_many_units(
    data: st.DataObject, dimension: str, number: int
) -> None:
    unit = data.draw(st.sampled_from(sorted(UNITS[dimension])))
    if number * UNITS[dimension][unit] < 2**63:
        assert parse(f"{number} {unit}", dimension) == number * UNITS[dimension][unit]
        assert parse(f"{number}{unit}", dimension) == parse(f"  {number}   {unit} ", dimension)


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("10 Gbit/s", "rate", 10**10),
        ("2.4 Gbit/s", "rate", 2_400_000_000),
        ("250 us", "duration", 250_000),
        ("250 µs", "duration", 250_000),
        ("0.1 ms", "duration", 100_000),
        ("1 year", "duration", 31_557_600 * 10**9),
        ("2 days", "duration", 172_800 * 10**9),
        ("21 km", "length", 21_000),
        ("0.5 km", "length", 500),
        ("2 GB", "size", 2 * 10**9),
        ("25 MiB", "size", 25 * 2**20),
        ("0 B", "size", 0),
    ],
)
def test_quantities_in_use(text: str, dimension: str, value: int) -> None:
    assert parse(text, dimension) == value


@pytest.mark.parametrize(
    ("text", "dimension", "reason"),
    [
        ("10", "rate", "write a number of 0 or more and a unit"),
        (10, "rate", "write a number of 0 or more and a unit"),
        (None, "size", "write a number of 0 or more and a unit"),
        (True, "duration", "write a number of 0 or more and a unit"),
        ("-1 ms", "duration", "write a number of 0 or more and a unit"),
        ("+1 ms", "duration", "write a number of 0 or more and a unit"),
        ("1e3 ms", "duration", "is not a duration|has no duration unit"),
        ("nan ms", "duration", "write a number"),
        ("inf ms", "duration", "write a number"),
        (".5 ms", "duration", "write a number"),
        ("1,5 ms", "duration", "write a number"),
        ("٣ ms", "duration", "write a number"),
        ("1 ms " + 64 * " ", "duration", "write a number"),
        ("10 Gb/s", "rate", 'has no rate unit "Gb/s"; allowed: bit/s, kbit/s'),
        ("10 GBit/s", "rate", 'has no rate unit "GBit/s"'),
        ("10 ms", "rate", 'has no rate unit "ms"'),
        ("10 miles", "length", 'has no length unit "miles"; allowed: m, km'),
        ("0.5 ns", "duration", "is not a whole number of ns"),
        ("0.0001 km", "length", "is not a whole number of m"),
        ("1.5 B", "size", "is not a whole number of B"),
        ("9223372036854775808 B", "size", "is too large"),
        ("300 years", "duration", "is too large"),
    ],
)
def test_what_is_not_exactly_a_quantity_is_refused(
    text: object, dimension: str, reason: str
) -> None:
    with pytest.raises(UnitError, match=reason):
        parse(text, dimension)


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (400_000_000, "rate", "400 Mbit/s"),
        (2_400_000_000, "rate", "2.4 Gbit/s"),
        (0, "rate", "0 bit/s"),
        (1_500_000, "duration", "1.5 ms"),
        (90_000, "length", "90 km"),
        (2_000_000, "size", "2 MB"),
    ],
)
def test_rendered_for_people(value: int, dimension: str, text: str) -> None:
    assert render(value, dimension) == text


@settings(max_examples=100, deadline=None)
@given(DIMENSIONS, st.integers(0, 2**62))
def test_rendered_text_is_right_to_four_digits(dimension: str, value: int) -> None:
    number, unit = render(value, dimension).split()
    shown = float(number) * UNITS[dimension][unit]
    assert shown == pytest.approx(value, rel=5e-4)
    assert float(number) < 1100 or unit == max(
        (u for u in UNITS[dimension] if not u.endswith("iB")), key=UNITS[dimension].__getitem__
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/1000", Fraction(1, 1000)),
        (4, Fraction(4)),
        ("0.5", Fraction(1, 2)),
        (0.1, Fraction(1, 10)),
    ],
)
def test_scales_are_exact(text: object, value: Fraction) -> None:
    assert parse_scale(text) == value


@pytest.mark.parametrize(
    "text",
    [0, -1, "0", "1/0", "-1/2", "x", None, True, [1], "nan", "inf", "1e-30", 10**10, "9" * 40],
)
def test_what_is_not_a_positive_scale_is_refused(text: object) -> None:
    with pytest.raises(UnitError):
        parse_scale(text)
