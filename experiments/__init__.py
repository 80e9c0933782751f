"""The paper's experiments: what to run, what was published, how to show both."""

import os

# Before anything imports TensorFlow, which reads it once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
