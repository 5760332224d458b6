"""A Chromium that is driven as a user's browser."""
