"""The hash that tells whether ranks hold the same parameters."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from workloads.train import bits_of


def flipped(tensors: Sequence[torch.Tensor], place: int, bit: int) -> list[torch.Tensor]:
    """Return a copy with one bit of one value, counted over all tensors, the other way."""
    copies = [tensor.clone() for tensor in tensors]
    for copy in copies:
        if place < copy.numel():
            copy.view(torch.int32).view(-1)[place] ^= -(2**31) if bit == 31 else 1 << bit
            break
        place -= copy.numel()
    return copies


@pytest.fixture
def tensors() -> list[torch.Tensor]:
    """Parameters of several sizes, small ones hashed by other code than large ones."""
    random = torch.Generator().manual_seed(3)
    return [torch.randn(*shape, generator=random) for shape in ((1,), (3, 5), (0,), (17,), (9, 31))]


def test_any_flipped_bit_is_noticed(tensors: list[torch.Tensor]) -> None:
    floats = sum(tensor.numel() for tensor in tensors)
    found = {bits_of(flipped(tensors, place, bit)) for place in range(floats) for bit in range(32)}
    assert len(found | {bits_of(tensors)}) == 32 * floats + 1, "and no two of them are alike"


def test_a_flipped_bit_is_noticed_in_a_model_of_megabytes() -> None:
    model = [torch.randn(250, 250, generator=torch.Generator().manual_seed(3)) for _ in range(8)]
    places = [0, 62_499, 62_500, 499_999, *range(7, 500_000, 9973)]
    found = {bits_of(flipped(model, place, place % 32)) for place in places}
    assert len(found | {bits_of(model)}) == len(places) + 1


def test_what_compares_equal_may_differ_in_bits() -> None:
    zero = torch.zeros(4)
    assert torch.equal(zero, -zero)
    assert bits_of([zero]) != bits_of([-zero])


def test_order_counts(tensors: list[torch.Tensor]) -> None:
    one = torch.arange(600.0)
    assert bits_of([one]) == bits_of([one.clone()])
    assert bits_of([one]) != bits_of([one.flip(0)])
    assert bits_of(tensors) != bits_of(tensors[::-1])


def test_nothing_to_agree_on() -> None:
    assert bits_of(None) is None
