"""What a tab sends and receives."""
