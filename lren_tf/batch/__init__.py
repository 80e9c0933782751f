"""Many scenes: which they are, which of them are finished, and a catalogue of all.

It knows reports and their files, and no detector: what is done with one scene is a call that the
command line makes.
"""
