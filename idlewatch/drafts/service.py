"""What a user had typed and not sent, kept for that user alone, encrypted, for a bounded time (WCAG 2.2.6).

The key of each draft is derived from the secret key and from whose it is, where and for what: one that is copied to
another place in the database does not open there. What can't be opened is dropped, and lost.
"""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, router, transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac
from django.utils.encoding import iri_to_uri, uri_to_iri
from django.utils.http import url_has_allowed_host_and_scheme
from msgspec import Struct

from idlewatch.conf import conf
from idlewatch.core.clock import as_datetime
from idlewatch.core.protocol import ErrorCode
from idlewatch.drafts.redaction import Field, keepable
from idlewatch.exceptions import BadMessage
from idlewatch.models import Draft
from idlewatch.monitor.accounts import primary_key

logger = logging.getLogger("idlewatch")

MAX_SIZE = 65_536
"""Bytes of a form's fields, as JSON."""
MAX_FIELDS = 200
MAX_KEPT = {Draft.Kind.DRAFT: 20, Draft.Kind.REFUSED: 5}
"""How many a user has at most; the oldest goes. Each kind by itself: what is refused may come with a stale cookie, and
must not push out what the user has signed in to write."""
MAX_PAGE = 2048
"""Characters of a page's path with its query."""
MAX_FORM = 100
"""Characters of a form's name."""


class Content(Struct):
    """What is sealed."""

    fields: list[Field]
    action: str = ""
    """Where a refused form was sent: a path with its query."""


class Kept(Struct):
    """What a page is told of a draft, or of a form that was refused."""

    form: str
    kind: str
    saved: float
    """Epoch seconds."""
    fields: list[Field]
    action: str = ""


def is_on() -> bool:
    """Tell whether drafts are kept at all."""
    return conf.draft_age > 0


def place_in_site(page: str) -> str:
    """Return a page's address in the one form in which it is compared.

    Raises:
        BadMessage: it is not the path of a page of this site, or too long.
    """
    if len(page) > MAX_PAGE:
        raise BadMessage(ErrorCode.BAD_VALUE, f"Expected a page of at most {MAX_PAGE} characters, got {len(page)}.")
    if not page.startswith("/") or not url_has_allowed_host_and_scheme(page, allowed_hosts=None):
        raise BadMessage(ErrorCode.BAD_VALUE, f"Expected the path of a page of this site, got {page!r}.")
    # The same address can be quoted in more than one way: a browser's, Django's.
    return iri_to_uri(uri_to_iri(page.partition("#")[0].removesuffix("?")))


def save(user: AbstractBaseUser, page: str, form: str, fields: Iterable[Field], now: float) -> bool:
    """Keep what stands in a form, in place of what was kept of it before; tell whether there was anything to keep.

    `now` is in epoch seconds.

    Raises:
        BadMessage: the page is none, or there is too much; what was kept before stays.
    """
    return put(user, page, form, Draft.Kind.DRAFT, Content(keepable(fields)), now)


def put(user: AbstractBaseUser, page: str, form: str, kind: Draft.Kind, content: Content, now: float) -> bool:
    """Keep what may be kept, in place of what was kept there before; tell whether there was anything.

    Raises:
        BadMessage: the page is none, or there is too much; what was kept before stays.
    """
    _check_bounds(content)
    place, *older = places(user, page)
    mine = Draft.objects.filter(user=user.pk)
    with _turn_of(user):
        if content.fields:
            sealed = seal(msgspec.json.encode(content), primary_key(user), place, form, kind)
            changes = {"sealed": sealed, "saved": as_datetime(now)}
            mine.update_or_create(user_id=user.pk, place=place, form=form, kind=kind, defaults=changes)
        gone = older if content.fields else [place, *older]
        mine.filter(place__in=gone, form=form, kind=kind).delete()
        mine.filter(saved__lte=as_datetime(now - conf.draft_age)).delete()
        newest = mine.filter(kind=kind).order_by("-saved", "-pk").values_list("pk", flat=True)
        # As a list: MySQL limits no subquery.
        mine.filter(kind=kind, pk__in=list(newest[MAX_KEPT[kind] :])).delete()
    return bool(content.fields)


def forget(user: AbstractBaseUser, page: str, form: str) -> None:
    """Drop what is kept of a form, draft and refused alike."""
    mine = Draft.objects.filter(user=user.pk, place__in=places(user, page), form=form)
    with _turn_of(user):
        mine.delete()


def find(user: AbstractBaseUser, page: str, now: float) -> list[Kept]:
    """Return what is kept of a page's forms, the newest first; what can't be opened is dropped.

    Raises:
        BadMessage: the page is none.
    """
    rows = _fresh(user, now).filter(place__in=places(user, page)).order_by("-saved", "-pk")
    kept = []
    for row in rows:
        content = _open(row, primary_key(user))
        if content is not None:
            saved = row.saved.timestamp()
            kept.append(Kept(row.form, row.kind, saved, content.fields, content.action))
    return kept


def has_refused(user: AbstractBaseUser, now: float) -> bool:
    """Tell whether a form of this user was refused, and is kept, on whatever page."""
    return is_on() and _fresh(user, now).filter(kind=Draft.Kind.REFUSED).exists()


def sweep(now: float) -> None:
    """Delete what is too old."""
    Draft.objects.filter(saved__lte=as_datetime(now - conf.draft_age)).delete()


def places(user: AbstractBaseUser, page: str) -> Sequence[str]:
    """Return under what digests a page may be kept: that of the secret key, then those of the keys before it.

    Raises:
        BadMessage: the page is none.
    """
    place = json.dumps([primary_key(user), place_in_site(page)])
    return [
        salted_hmac("idlewatch.draft.place", place, secret=secret, algorithm="sha256").hexdigest()
        for secret in conf.secrets
    ]


def seal(content: bytes, *whose: str) -> str:
    """Encrypt what is kept, for the user (as text), place, form and kind that are given."""
    return _cipher(whose).encrypt(content).decode()


def unseal(sealed: str, *whose: str) -> bytes:
    """Decrypt what was sealed for exactly these.

    Raises:
        InvalidToken: it was not, or by a secret key that is gone.
    """
    return _cipher(whose).decrypt(sealed.encode())


def _cipher(whose: Sequence[str]) -> MultiFernet:
    """Return the cipher that encrypts by the secret key, and decrypts by those before it too."""
    keys = (
        salted_hmac("idlewatch.draft", json.dumps(whose), secret=secret, algorithm="sha256").digest()
        for secret in conf.secrets
    )
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])


def _open(row: Draft, user: str) -> Content | None:
    try:
        return msgspec.json.decode(unseal(row.sealed, user, row.place, row.form, row.kind), type=Content)
    except (InvalidToken, msgspec.MsgspecError, UnicodeError) as error:
        logger.warning("A draft can't be opened (%s) and is dropped.", type(error).__name__)
        row.delete()
        return None


@contextmanager
def _turn_of(user: AbstractBaseUser) -> Iterator[None]:
    """Let one transaction at a time change what is kept of a user: several rows, in no order, would deadlock."""
    # Drafts refer to users, so both are in one database.
    database = router.db_for_write(Draft)
    with transaction.atomic(using=database):
        accounts = get_user_model()._base_manager.using(database).filter(pk=user.pk)
        # Weak enough, where there is such a lock, to hold up nobody who merely refers to the user.
        weak = connections[database].features.has_select_for_no_key_update
        accounts.select_for_update(no_key=weak).values_list("pk").first()
        yield


def _fresh(user: AbstractBaseUser, now: float) -> QuerySet[Draft]:
    return Draft.objects.filter(user=user.pk, saved__gt=as_datetime(now - conf.draft_age))


def _check_bounds(content: Content) -> None:
    if len(content.action) > MAX_PAGE:
        expected = f"Expected an address of at most {MAX_PAGE} characters"
        raise BadMessage(ErrorCode.TOO_LARGE, f"{expected}, got {len(content.action)}.")
    if len(content.fields) > MAX_FIELDS:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {MAX_FIELDS} fields, got {len(content.fields)}.")
    size = len(msgspec.json.encode(content.fields))
    if size > MAX_SIZE:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {MAX_SIZE} bytes of fields, got {size}.")
