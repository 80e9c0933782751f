"""Runs: one detector on one scene, its record and score map, and how missing ones execute."""
