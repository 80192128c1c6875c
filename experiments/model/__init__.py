"""Step time and coherence of training over spans, predicted. Pure numpy, no torch.

`predict` explains one state of the network, `predict_sets` ranks a hundred thousand of them. Every
law says where it comes from; how far it is off was measured by ``python -m benchmarks model``.
"""

from experiments.model.job import CAUSES, TWIN_OVERHEAD_S, Crossings, Job, Prediction
from experiments.model.predict import coherence, predict, predict_sets

__all__ = [
    "CAUSES",
    "TWIN_OVERHEAD_S",
    "Crossings",
    "Job",
    "Prediction",
    "coherence",
    "predict",
    "predict_sets",
]
