"""The covering sets hold what they say, and no more cases than they need here."""

from itertools import combinations

import pytest

from tests.covering import cover

AXES = [("a", "b", "c"), (1, 2), ("x", "y", "z")]


@pytest.mark.parametrize(("strength", "number"), [(1, 3), (2, 9), (3, 18)])
def test_every_combination_of_so_many_values_is_in_a_fast_case(strength, number):
    params = cover(*AXES, strength=strength)
    fast = [param.values for param in params if not param.marks]
    assert (len(params), len(fast)) == (18, number)
    for case in (param.values for param in params):
        for part in combinations(enumerate(case), strength):
            assert any(all(other[i] == value for i, value in part) for other in fast)
