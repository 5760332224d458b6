"""The background work of a process: the timer, the hub, and the bus between processes."""
