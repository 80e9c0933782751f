"""Training of a model: batches, losses and gradients, steps, callbacks, checkpoints."""
