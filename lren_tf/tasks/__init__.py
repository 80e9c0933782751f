"""Calls in other processes: one by one, retried after a failure, skipped if they are finished.

A task is a call of a function with arguments. It does not depend on scenes or detectors, and may
return anything; a caller that wants to find a result again stores it in a file.
"""
