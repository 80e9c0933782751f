"""Training of a model: batches, losses and gradients, steps, callbacks, checkpoints."""

from lren_tf.runtime.startup import require_tensorflow_backend

require_tensorflow_backend()
