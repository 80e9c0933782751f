"""Settings for all tests."""

import os

from hypothesis import settings

from tests.fuzzing import cases

# Several workers share the cores: a second thread of each would only wait for its turn. Before
# anything imports TensorFlow, which reads them once.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# A busy machine is not a bug: how long an example takes says nothing about it.
settings.register_profile("no_deadline", deadline=None, max_examples=cases(100))
settings.load_profile("no_deadline")
