"""What the network is: campuses, spans, their ageing and upgrades, and their emulation."""
