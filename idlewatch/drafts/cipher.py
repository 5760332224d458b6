"""Encryption of drafts, bound to their owner, page and form.

Each draft has a key of its own, derived from `SECRET_KEY` and from its context: a row that is copied to another place
in the table does not decrypt there.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.crypto import salted_hmac
from django.utils.encoding import iri_to_uri, uri_to_iri
from django.utils.http import url_has_allowed_host_and_scheme

from idlewatch.conf import conf
from idlewatch.core.protocol import ErrorCode
from idlewatch.exceptions import BadMessage, IdleWatchError
from idlewatch.monitor.accounts import primary_key

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

MAX_PAGE_LENGTH = 2048
"""Characters of a page's path with its query."""


class DecryptionError(IdleWatchError):
    """The draft was not encrypted for this context, or under a secret key that is gone."""


def normalize_page(page: str) -> str:
    """Return the address of a page in the one form in which addresses are compared.

    Raises:
        BadMessage: `page` is not the path of a page of this site, or it is too long.
    """
    if len(page) > MAX_PAGE_LENGTH:
        expected = f"Expected a page of at most {MAX_PAGE_LENGTH} characters"
        raise BadMessage(ErrorCode.BAD_VALUE, f"{expected}, got {len(page)}.")
    if not page.startswith("/") or not url_has_allowed_host_and_scheme(page, allowed_hosts=None):
        raise BadMessage(ErrorCode.BAD_VALUE, f"Expected the path of a page of this site, got {page!r}.")
    # Browsers and Django quote the same address in different ways.
    return iri_to_uri(uri_to_iri(page.partition("#")[0].removesuffix("?")))


def page_digests(user: AbstractBaseUser, page: str) -> Sequence[str]:
    """Return the digests of a user's page: under the secret key first, then under each fallback key.

    Raises:
        BadMessage: `page` is not the path of a page of this site, or it is too long.
    """
    value = json.dumps([primary_key(user), normalize_page(page)])
    return [
        salted_hmac("idlewatch.draft.place", value, secret=secret, algorithm="sha256").hexdigest()
        for secret in conf.secrets
    ]


def encrypt(content: bytes, *context: str) -> str:
    """Encrypt a draft for its context: user (as text), page digest, form and kind."""
    return _cipher(context).encrypt(content).decode()


def decrypt(ciphertext: str, *context: str) -> bytes:
    """Decrypt a draft that was encrypted for exactly this context.

    Raises:
        DecryptionError: it was encrypted for another context, or under a secret key that is gone.
    """
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - an extra

    try:
        return _cipher(context).decrypt(ciphertext.encode())
    except InvalidToken as error:
        raise DecryptionError from error


def _cipher(context: Sequence[str]) -> MultiFernet:
    """Return the cipher that encrypts under the secret key, and decrypts under the fallback keys too."""
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - an extra

    keys = (
        salted_hmac("idlewatch.draft", json.dumps(context), secret=secret, algorithm="sha256").digest()
        for secret in conf.secrets
    )
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
