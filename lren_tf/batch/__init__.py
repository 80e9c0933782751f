"""Many scenes: finding them, recognising those that are finished, and a catalogue of all.

The package deals with reports and their files, not with detectors: processing one scene is a call
that the command line makes.
"""
