"""Hosts that are Docker containers: the engine, the image, the containers and their limits."""
