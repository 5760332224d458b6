"""Drafts: encrypted copies of what was typed and not sent."""
