"""Benchmarks: scenes × methods × seeds, one JSON a run, and a leaderboard of all.

A method is a detector with its settings, or a folder of score maps of another program. Every run
is a task (`lren_tf.tasks`) whose result is identified by a key (`lren_tf.batch.finished`).
"""
