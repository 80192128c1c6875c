"""Why we run: scenarios, the runner, verdicts, coherence and reports."""
