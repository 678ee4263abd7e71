"""The reading window: a reader's screen, in a process of its own, that knows codes and nothing else."""
