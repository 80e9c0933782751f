"""Provenance and Markdown, shared with the benchmarks."""
