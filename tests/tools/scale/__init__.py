"""Shows that idlewatch copes with many sessions on one machine; `python -m tests.tools.scale`."""
