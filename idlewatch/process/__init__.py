"""The current process: its name."""
