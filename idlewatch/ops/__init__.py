"""Health and metrics of a process."""
