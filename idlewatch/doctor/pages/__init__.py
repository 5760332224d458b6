"""What pages hold, and what answers at their addresses."""
