"""Speed as a ratio against a reference or a limit measured in the same process."""

import os

# Before anything imports TensorFlow, which reads it once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
