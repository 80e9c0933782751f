"""Algorithms that detectors are made of; they know nothing of the detector protocol."""
