"""The views: for pages, for users, and for whatever supervises the process."""
