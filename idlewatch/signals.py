"""Signals for host projects. Each is sent with `send_robust`: a receiver that raises stops nothing, and is logged."""

from __future__ import annotations

from django.dispatch import Signal

session_opened = Signal()
"""Arguments: `watch` (its id), `user` (the primary key as text)."""

session_ended = Signal()
"""At most once a session.

Arguments: `watch`, `user`, `reason` (a `Reason`), `at` (epoch seconds), `by` (the user who ended it, or None).
"""
