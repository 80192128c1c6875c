"""The user-space impairer: one process per span between two TAP devices."""
