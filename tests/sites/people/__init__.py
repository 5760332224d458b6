"""Users as many projects have them: with a UUID as their key, and an address in place of a name."""
