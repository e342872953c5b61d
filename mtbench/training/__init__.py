"""Training from the command line: data without leaks, checkpoints, several seeds, sweeps."""
