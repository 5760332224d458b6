"""Drafts: stored for their user alone, encrypted, for a bounded time (WCAG 2.2.6). Times are in epoch seconds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from msgspec import Struct

from idlewatch.conf import conf
from idlewatch.conf.extras import Extra, is_installed
from idlewatch.core.clock import as_datetime
from idlewatch.core.probes import is_probe
from idlewatch.core.protocol import ErrorCode
from idlewatch.drafts.cipher import MAX_PAGE_LENGTH, DecryptionError, decrypt, encrypt, page_digests
from idlewatch.drafts.models import Draft
from idlewatch.drafts.redaction import Field, redact
from idlewatch.exceptions import BadMessage
from idlewatch.http.request_state import state_of
from idlewatch.monitor.accounts import primary_key

logger = logging.getLogger("idlewatch")

MAX_SIZE = 65_536
"""Bytes of a form's fields, as JSON."""
MAX_FIELDS = 200
MAX_DRAFTS = {Draft.Kind.DRAFT: 20, Draft.Kind.REFUSED: 5}
"""Rows per user and kind; the oldest is deleted. Each kind is counted by itself: rejected forms may arrive with a stale
cookie, and must not displace what the user writes while signed in."""
SWEEP_BATCH_SIZE = 500
"""Drafts that are deleted at once."""
MAX_FORM_LENGTH = 100
"""Characters of a form's name."""


class Content(Struct):
    """The encrypted part of a draft."""

    fields: list[Field]
    action: str = ""
    """The path, with its query, to which a rejected form was sent."""


class StoredDraft(Struct):
    """A draft as a page receives it."""

    form: str
    kind: str
    saved: float
    """Epoch seconds."""
    fields: list[Field]
    action: str = ""


def is_on() -> bool:
    """Return whether drafts are stored: `DRAFT_AGE` is not 0, and the package that encrypts them is installed."""
    return is_installed(Extra.DRAFTS) and conf.draft_age > 0


def is_on_for(request: HttpRequest) -> bool:
    """Return whether the session of a request has drafts; a probe leaves those of its user alone."""
    return is_on() and not is_probe(state_of(request).watch_id)


def save(user: AbstractBaseUser, page: str, form: str, fields: Iterable[Field], now: float) -> bool:
    """Store the fields of a form in place of its previous draft; return whether any field may be stored.

    Raises:
        BadMessage: the page is invalid, or the form is too large; the previous draft stays.
    """
    return put(user, page, form, Draft.Kind.DRAFT, Content(redact(fields)), now)


def put(user: AbstractBaseUser, page: str, form: str, kind: Draft.Kind, content: Content, now: float) -> bool:
    """Store redacted content in place of the previous draft of the same kind; return whether there was any.

    Raises:
        BadMessage: the page is invalid, or the form is too large; the previous draft stays.
    """
    _check_bounds(content)
    digest, *older = page_digests(user, page)
    drafts = Draft.objects.filter(user=user.pk)
    with _locked(user):
        if content.fields:
            ciphertext = encrypt(msgspec.json.encode(content), primary_key(user), digest, form, kind)
            changes = {"ciphertext": ciphertext, "saved_at": as_datetime(now)}
            drafts.update_or_create(user_id=user.pk, page_digest=digest, form=form, kind=kind, defaults=changes)
        superseded = older if content.fields else [digest, *older]
        drafts.filter(page_digest__in=superseded, form=form, kind=kind).delete()
        drafts.filter(saved_at__lte=as_datetime(now - conf.draft_age)).delete()
        newest = drafts.filter(kind=kind).order_by("-saved_at", "-pk").values_list("pk", flat=True)
        # As a list: MySQL limits no subquery.
        drafts.filter(kind=kind, pk__in=list(newest[MAX_DRAFTS[kind] :])).delete()
    return bool(content.fields)


def delete(user: AbstractBaseUser, page: str, form: str) -> None:
    """Delete what is stored of a form, of both kinds."""
    drafts = Draft.objects.filter(user=user.pk, page_digest__in=page_digests(user, page), form=form)
    with _locked(user):
        drafts.delete()


def find(user: AbstractBaseUser, page: str, now: float) -> list[StoredDraft]:
    """Return the drafts of a page, newest first; delete those that can't be decrypted.

    Raises:
        BadMessage: the page is invalid.
    """
    rows = _current(user, now).filter(page_digest__in=page_digests(user, page)).order_by("-saved_at", "-pk")
    contents = ((row, _decrypt(row, primary_key(user))) for row in rows)
    return [
        StoredDraft(row.form, row.kind, row.saved_at.timestamp(), content.fields, content.action)
        for row, content in contents
        if content is not None
    ]


def has_rejected_form(user: AbstractBaseUser, now: float) -> bool:
    """Return whether a rejected form of this user is stored, on any page."""
    return is_on() and _current(user, now).filter(kind=Draft.Kind.REFUSED).exists()


def sweep(now: float) -> bool:
    """Delete a batch of drafts that are too old; return whether there was any."""
    rows = Draft.objects.filter(saved_at__lte=as_datetime(now - conf.draft_age))
    batch = list(rows.values_list("pk", flat=True)[:SWEEP_BATCH_SIZE])
    if batch:
        rows.filter(pk__in=batch).delete()
    return bool(batch)


def _decrypt(row: Draft, user: str) -> Content | None:
    try:
        content = decrypt(row.ciphertext, user, row.page_digest, row.form, row.kind)
        return msgspec.json.decode(content, type=Content)
    except (DecryptionError, msgspec.MsgspecError, UnicodeError) as error:
        logger.warning("A draft can't be decrypted (%s) and is deleted.", type(error).__name__)
        row.delete()
        return None


@contextmanager
def _locked(user: AbstractBaseUser) -> Iterator[None]:
    """Run one transaction at a time on a user's drafts: several rows, in any order, would deadlock."""
    # Drafts refer to users, so both are in one database.
    database = router.db_for_write(Draft)
    with transaction.atomic(using=database):
        accounts = get_user_model()._base_manager.using(database).filter(pk=user.pk)
        # Where the database has such a lock, it does not block transactions that only refer to the user.
        weak = connections[database].features.has_select_for_no_key_update
        accounts.select_for_update(no_key=weak).values_list("pk").first()
        yield


def _current(user: AbstractBaseUser, now: float) -> QuerySet[Draft]:
    return Draft.objects.filter(user=user.pk, saved_at__gt=as_datetime(now - conf.draft_age))


def _check_bounds(content: Content) -> None:
    if len(content.action) > MAX_PAGE_LENGTH:
        expected = f"Expected an address of at most {MAX_PAGE_LENGTH} characters"
        raise BadMessage(ErrorCode.TOO_LARGE, f"{expected}, got {len(content.action)}.")
    if len(content.fields) > MAX_FIELDS:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {MAX_FIELDS} fields, got {len(content.fields)}.")
    size = len(msgspec.json.encode(content.fields))
    if size > MAX_SIZE:
        raise BadMessage(ErrorCode.TOO_LARGE, f"Expected at most {MAX_SIZE} bytes of fields, got {size}.")
