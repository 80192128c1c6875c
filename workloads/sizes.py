"""How the trained model divides its gradients: layers, and the matrix in each. Pure."""

from __future__ import annotations

import math
from itertools import accumulate

FLOAT_BYTES = 4
MAX_LAYERS = 64


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
