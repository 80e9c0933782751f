"""A few cases that stand for all combinations of several parameters."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product

import pytest


def cover(*axes: Iterable, strength: int = 2) -> list:
    """Return every combination of the axes' values as parameters, most of them marked slow.

    Those not marked hold every combination of the values of any `strength` axes: with 2, every
    pair of values that two parameters can take; with 1, every value. Chosen greedily, the first
    of equals, so that the set is always the same.
    """
    cases = list(product(*axes))
    parts = {case: set(combinations(enumerate(case), strength)) for case in cases}
    missing = set().union(*parts.values())
    chosen = set()
    while missing:
        best = max(cases, key=lambda case: len(parts[case] & missing))
        chosen.add(best)
        missing -= parts[best]
    return [pytest.param(*case, marks=[] if case in chosen else pytest.mark.slow) for case in cases]
