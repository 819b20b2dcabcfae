"""The training run: its settings, checks, state, step, callbacks and checkpoints."""
