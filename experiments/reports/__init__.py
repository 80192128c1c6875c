"""Pages made from what runs and sweeps left in their folders."""
