"""Helpers that every file format uses."""
