"""Algorithms that detectors are built from, independent of the detector protocol."""
