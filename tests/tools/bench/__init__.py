"""What the product costs, measured beside something bare in the same run."""
