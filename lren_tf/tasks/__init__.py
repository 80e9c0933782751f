"""Calls that are made elsewhere: one by one, tried again, left out where they are finished.

A task is a call of a function with arguments. It knows no scene and no detector, and what it
returns is its own affair; whoever wants a result to be found again keeps it in a file.
"""
