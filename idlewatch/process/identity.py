"""What this process is called among those that serve the site."""

from __future__ import annotations

import secrets

PROCESS = secrets.token_hex(8)
"""Random: a pid comes again, and means nothing on another host."""
