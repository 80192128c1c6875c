"""An optimizer for ranks whose parameters are stepped by somebody else, or not at all."""

from __future__ import annotations

import torch


class Unmoved(torch.optim.SGD):
    """Clears gradients, and leaves parameters as they are."""

    def step(self, closure: object = None) -> None:  # type: ignore[override]
        """Do nothing."""
