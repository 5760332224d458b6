"""What runs beside the requests: the timer, the hub, and the bus between processes."""
