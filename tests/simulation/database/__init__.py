"""SQLite under the simulation: each statement takes virtual time, and may fail as a database server's does."""
