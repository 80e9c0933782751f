"""LREN as a Keras model: network, fitted state, scoring, export."""

from lren_tf.runtime.startup import require_tensorflow_backend

require_tensorflow_backend()
