"""The server of the shared store, and the replicas of the database."""
