"""How sure a figure is: warm-up, autocorrelation, repetitions, and which of two is better. Pure.

Durations go in; `estimate.estimate` says how well their mean is known, `warmup.settled` where they
have settled, `pooling.pooled` what repetitions say together, `comparison.compare` who wins.
"""
