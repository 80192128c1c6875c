"""What trains: ranks, strategies and their metrics. Knows sites and ranks, never links."""
