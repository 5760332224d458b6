"""The exit codes of `manage.py idlewatch doctor`."""

from __future__ import annotations

HEALTHY = 0
FAULTY = 1
"""Something is wrong with the site."""
UNUSABLE = 2
"""The site was not tried to the end: an option is wrong, a package is missing, or nothing reads what is printed."""
SIGNALED = 128
"""Plus the number of a signal: the run was stopped by it."""
