"""Algorithms that detectors are made of, independent of the detector protocol."""
