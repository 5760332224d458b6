"""The durable records: watched sessions, and what else must survive a restart."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from idlewatch.core.activity import Reason
from idlewatch.managers import PrimaryManager, WatchedSessionQuerySet

REASON_LABELS = {
    Reason.IDLE: _("inactivity"),
    Reason.ABSOLUTE: _("time limit"),
    Reason.CLOSED: _("browser closed"),
    Reason.LOGOUT: _("signed out"),
    Reason.REVOKED: _("revoked"),
    Reason.REPLACED: _("replaced by a newer sign-in"),
    Reason.ACCOUNT: _("account or password changed"),
    Reason.LOST: _("session lost"),
}


MAX_NAME = 254
"""Characters of a user name that are stored."""
LIVES = models.Q(ended=None)
"""The records of sessions that have not ended."""


class WatchedSession(models.Model):
    """One session: user, device, last activity, and how it ended."""

    id = models.CharField(primary_key=True, max_length=32, editable=False)
    """The watch id: random, stored in the session's data, not a secret."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("user"),
        # An index below begins with it. Each index is written with each checkpoint.
        db_index=False,
    )
    username = models.CharField(_("user name"), max_length=MAX_NAME)
    """Remains when the account is deleted."""
    session_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    """A keyed digest of the session key, to find the reason for a stale cookie; empty if there is no key."""
    previous_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    """The digest of the previous key: a request that was under way during the rotation still carries it."""
    auth_digest = models.CharField(max_length=64, editable=False)
    """A digest of Django's session auth hash: it changes with the password."""
    # Translators: of the network.
    address = models.CharField(_("address"), max_length=64, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=512, blank=True)
    started = models.DateTimeField(_("started"))
    signed_in = models.DateTimeField(_("signed in"))
    """The latest sign-in: the absolute timeout runs from here."""
    last_active = models.DateTimeField(_("last active"))
    """A checkpoint: at most `CHECKPOINT` seconds old while the session is live."""
    limits = models.JSONField(_("limits"))
    """The policy of this session, in seconds."""
    facts = models.JSONField(default=dict, editable=False)
    """The activity (`idlewatch.core.activity`) at the checkpoint, from which a store that lost its data resumes."""
    # Translators: how often the user was warned.
    warnings = models.PositiveIntegerField(_("warnings"), default=0)
    # Translators: how often the user chose to stay.
    extensions = models.PositiveIntegerField(_("extensions"), default=0)
    # Translators: for how long work that needs no input held the session open.
    held_seconds = models.FloatField(_("seconds held"), default=0.0)
    failed_attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    """Wrong passwords since `attempts_since`, where a user has to confirm who they are."""
    attempts_since = models.DateTimeField(null=True, editable=False)
    ended = models.DateTimeField(_("ended"), null=True, blank=True)
    reason = models.CharField(
        _("reason"),
        max_length=16,
        blank=True,
        choices=[(reason.value, label) for reason, label in REASON_LABELS.items()],
    )
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("ended by"),
    )
    ended_by_name = models.CharField(max_length=MAX_NAME, blank=True, editable=False)
    """The user name of the operator: remains when the account is deleted."""
    impersonator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    """The operator who signed in, and acts as `user` (`idlewatch.monitor.impersonation`)."""
    impersonator_name = models.CharField(_("impersonated by"), max_length=MAX_NAME, blank=True, editable=False)
    """The user name of that operator: remains when the account is deleted."""
    impersonator_digest = models.CharField(max_length=64, blank=True, editable=False)
    """A digest of that operator's session auth hash."""

    objects = PrimaryManager.from_queryset(WatchedSessionQuerySet)()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("session history")
        default_permissions = ("view",)
        permissions = (("end_watchedsession", _("Can end sessions")),)
        indexes = (
            models.Index(fields=["user", "ended"], name="idlewatch_user_ended"),
            # The order in which the admin lists the records.
            models.Index(fields=["-started", "-id"], name="idlewatch_started"),
            # The same, of those that ended for one reason: of a rare one it would read all the others.
            models.Index(fields=["reason", "-started", "-id"], name="idlewatch_reason_started"),
            # The orders in which the live page lists sessions. Not every database has conditional indexes.
            models.Index(fields=["ended", "username", "id"], name="idlewatch_live_username"),
            models.Index(fields=["ended", "started", "id"], name="idlewatch_live_started"),
            models.Index(fields=["ended", "last_active", "id"], name="idlewatch_live_last_active"),
        )

    def __str__(self) -> str:
        return f"{self.username}, {timezone.localtime(self.started):%Y-%m-%d %H:%M}"


class Live(WatchedSession):
    """The live sessions: a model of its own gives the live page its URL in the admin."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("live session")
        verbose_name_plural = _("live sessions")


class StoreOwner(models.Model):
    """The web process that owns the memory store: one row at most."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    process = models.CharField(max_length=32)
    """The random name of the process: pids are reused."""
    renewed = models.DateTimeField()

    objects = PrimaryManager["StoreOwner"]()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class HistorySample(models.Model):
    """The number of sessions at one moment of the last hour, for a memory store after a restart."""

    at = models.FloatField()
    """Epoch seconds."""
    active = models.PositiveIntegerField()
    warned = models.PositiveIntegerField()
    ended = models.PositiveIntegerField()
    """How many ended since the previous sample."""

    objects = PrimaryManager["HistorySample"]()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.active} active, {self.warned} warned"
