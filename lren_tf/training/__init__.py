"""One fit: batches, gradients, steps, checkpoints."""
