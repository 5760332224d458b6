"""What measures the rows of the table: one module for each kind of row."""
