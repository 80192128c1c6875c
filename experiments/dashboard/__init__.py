"""One page on which a run is watched, steered and replayed; docs/dashboard.md."""
