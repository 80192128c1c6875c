"""Errors of failed collectives, as torch 2.13 words them."""

from __future__ import annotations

import pytest

from workloads.failure import MAX_LENGTH, reason

PLACE = "[/__w/pytorch/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{PLACE} Connection closed by peer [127.0.0.1]:45247. This is typically caused by a "
            "remote worker crashing. Check the logs.",
            "Connection closed by peer [127.0.0.1]:45247",
        ),
        (
            "Got the following error when running the callback: RuntimeError: "
            f"{PLACE} Timed out waiting 3000ms for recv operation to complete\n\nAt:\n  x.py(31)\n",
            "Timed out waiting 3000ms for recv operation to complete",
        ),
        (
            f"Unable to cast {PLACE} Timed out waiting 3000ms for send operation to complete to "
            "Tensor",
            "Timed out waiting 3000ms for send operation to complete",
        ),
        ("something else\nentirely", "something else"),
        ("", "RuntimeError"),
        ("x" * 9000, "x" * MAX_LENGTH),
    ],
)
def test_gloo_is_quoted(text: str, said: str) -> None:
    assert reason(RuntimeError(text)) == said
