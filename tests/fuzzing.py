"""Number of cases for tests that draw their own.

``LREN_TF_FUZZ`` multiplies it: 0.1 in ``make test-fast``, 0.2 in
``make test``, 10 in ``make test-slow``.
"""

import os

FACTOR = float(os.environ.get("LREN_TF_FUZZ", "1"))


def cases(number: int) -> int:
    """Return `number` times the factor, at least 1."""
    return max(1, round(number * FACTOR))
