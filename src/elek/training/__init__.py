"""Training: the order of batches, the loop, its optimizers and its checkpoints."""
