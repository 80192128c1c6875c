"""How large a trained model is: layers, and the parameters in each. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from workloads.option import Value

FLOAT_BYTES = 4
MAX_LAYERS = 64

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sized:
    """A task's model at the size of a twin.

    Attributes:
        task: its name.
        options: all of them, with what follows from its size.
        layers: by layer, in the order of forward, the shape of every parameter.
        about: the model in words.
    """

    task: str
    options: Mapping[str, Value]
    layers: tuple[tuple[Shape, ...], ...]
    about: str

    @property
    def shapes(self) -> list[Shape]:
        """Return the shape of every parameter."""
        return [shape for layer in self.layers for shape in layer]

    @property
    def layer_bytes(self) -> tuple[tuple[int, ...], ...]:
        """Return by layer the bytes of each parameter, and so of its gradient."""
        return tuple(
            tuple(FLOAT_BYTES * math.prod(shape) for shape in layer) for layer in self.layers
        )

    @property
    def parameters(self) -> int:
        """Return how many floats are trained."""
        return sum(map(math.prod, self.shapes))

    @property
    def gradient_bytes(self) -> int:
        """Return the bytes of gradients in a step: 4 for each parameter."""
        return FLOAT_BYTES * self.parameters


def layers_for(gradient_bytes: int, bucket_bytes: int) -> int:
    """Return how many layers let gradients fill buckets evenly: two per bucket, 8 to 64."""
    buckets = math.ceil(gradient_bytes / bucket_bytes)
    return max(1, min(max(8, 2 * buckets), MAX_LAYERS, gradient_bytes // FLOAT_BYTES))


def layer_floats(gradient_bytes: int, layers: int) -> list[int]:
    """Return the floats of each layer."""
    floats = gradient_bytes // FLOAT_BYTES
    return [floats // layers + (index < floats % layers) for index in range(layers)]


def matrix_width(gradient_bytes: int, layers: int) -> int:
    """Return the width of the square matrix in each layer; what is left over is a vector."""
    return math.isqrt(layer_floats(gradient_bytes, layers)[-1])


def cut(layers: int, stages: int) -> list[range]:
    """Return the layers of each stage of a pipeline; the first ones take what is left over."""
    sizes = [layers // stages + (stage < layers % stages) for stage in range(stages)]
    ends = list(accumulate(sizes))
    return [range(end - size, end) for size, end in zip(sizes, ends, strict=True)]
