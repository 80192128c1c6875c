"""Measures this machine's spans side by side with published figures: docs/scoreboard.md."""
