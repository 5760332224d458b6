"""Pure domain code: what a session is, what changes it, and when it ends. Standard library and msgspec alone."""
