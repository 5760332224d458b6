"""Drafts: encrypted copies of what users typed and did not send. An app of its own, in `INSTALLED_APPS` or not."""
