"""The challenge by which `manage.py idlewatch doctor` and a site prove to each other that they have the same key.

The doctor sends no session cookie to a site that has not answered one, and the site reports on itself to nothing else.
Neither proof is of use for anything else, or after a minute.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from django.utils.crypto import salted_hmac

from idlewatch.conf import conf

HEADER = "Idlewatch-Challenge"
"""The header of the challenge, and of the answer to it."""
MAX_LENGTH = 128
"""Characters of a challenge; longer ones are none of the doctor's."""
CHALLENGE_VALIDITY = 60.0
"""Seconds for which a challenge is answered, before and after the site's own time."""


def make_challenge(now: float) -> str:
    """Return a new challenge, as the value of its header; `now` in epoch seconds."""
    stamp = f"{now:.0f}.{secrets.token_hex(16)}"
    return f"{stamp}.{_signature('challenge', stamp, conf.secrets[0])}"


def nonce_of(challenge: str) -> str:
    """Return the random part of a challenge, by which it is told from all others."""
    return challenge.split(".")[1] if "." in challenge else ""


def secret_of(challenge: str, now: float) -> str | bytes | None:
    """Return the secret with which a challenge was signed; None if it is none of the site's, or is too old."""
    stamp, _, signature = challenge.rpartition(".")
    sent_at, _, nonce = stamp.partition(".")
    if len(challenge) > MAX_LENGTH or not (challenge.isascii() and sent_at.isdigit() and nonce):
        return None
    if abs(now - int(sent_at)) > CHALLENGE_VALIDITY:
        return None
    return next((secret for secret in conf.secrets if _matches(signature, "challenge", stamp, secret)), None)


def make_answer(challenge: str, body: bytes, secret: str | bytes) -> str:
    """Return what proves that `body` answers this challenge, as the value of the header."""
    return _signature("answer", _answered(challenge, body), secret)


def is_answer(answer: str, challenge: str, body: bytes) -> bool:
    """Return whether a site with a secret key of this project has answered this very challenge with this body."""
    return any(_matches(answer, "answer", _answered(challenge, body), secret) for secret in conf.secrets)


def _answered(challenge: str, body: bytes) -> str:
    return f"{challenge} {hashlib.sha256(body).hexdigest()}"


def _matches(signature: str, purpose: str, text: str, secret: str | bytes) -> bool:
    # `compare_digest` takes ASCII alone.
    return signature.isascii() and hmac.compare_digest(signature, _signature(purpose, text, secret))


def _signature(purpose: str, text: str, secret: str | bytes) -> str:
    return salted_hmac(f"idlewatch.doctor.{purpose}", text, secret=secret, algorithm="sha256").hexdigest()
