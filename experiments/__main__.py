"""``python -m experiments`` is the command line that the launcher starts."""

from experiments.cli import main

main()
