"""The durable record of each watched session: what must survive the store."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from idlewatch.core.activity import Reason

REASON_LABELS = {
    Reason.IDLE: _("inactivity"),
    Reason.ABSOLUTE: _("time limit"),
    Reason.CLOSED: _("browser closed"),
    Reason.LOGOUT: _("signed out"),
    Reason.REVOKED: _("ended from elsewhere"),
    Reason.REPLACED: _("replaced by a newer sign-in"),
    Reason.ACCOUNT: _("account or password changed"),
    Reason.LOST: _("session gone"),
}


MAX_NAME = 254
"""Characters of a user name that are kept."""
LIVES = models.Q(ended=None)
"""The records of sessions that have not ended."""


class WatchedSession(models.Model):
    """One session: who, from where, how far it came, and how it ended."""

    id = models.CharField(primary_key=True, max_length=32, editable=False)
    """The watch id: random, in the session's data, and no secret."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("user"),
    )
    username = models.CharField(_("user name"), max_length=MAX_NAME)
    """Stays when the account goes."""
    session_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    """A keyed digest of the session key, to find the reason for a stale cookie; empty where there is no key."""
    previous_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    """That of the key before: a request that was under way when it was rotated still bears it."""
    auth_digest = models.CharField(max_length=64, editable=False)
    """A digest of Django's session auth hash: tells a password changed elsewhere."""
    # Translators: of the network.
    address = models.CharField(_("address"), max_length=64, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=512, blank=True)
    started = models.DateTimeField(_("started"))
    signed_in = models.DateTimeField(_("signed in"))
    """The latest sign-in: the absolute limit runs from here."""
    last_active = models.DateTimeField(_("last active"))
    """A checkpoint: at most `CHECKPOINT` old while the session lives."""
    limits = models.JSONField(_("limits"))
    """The policy of this session, in seconds."""
    facts = models.JSONField(default=dict, editable=False)
    """Those of `idlewatch.core.activity`, as of the checkpoint: what a store that lost its data resumes from."""
    # Translators: how often the user was warned.
    warnings = models.PositiveIntegerField(_("warnings"), default=0)
    # Translators: how often the user chose to stay.
    extensions = models.PositiveIntegerField(_("extensions"), default=0)
    # Translators: for how long work that needs no input held the session open.
    held_seconds = models.FloatField(_("seconds held"), default=0.0)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    """Wrong passwords since `tried_since`, where the user is to show that it is they."""
    tried_since = models.DateTimeField(null=True, editable=False)
    ended = models.DateTimeField(_("ended"), null=True, blank=True, db_index=True)
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
    """The user name of who ended it: stays when the account goes."""

    class Meta:
        verbose_name = _("watched session")
        verbose_name_plural = _("watched sessions")
        default_permissions = ("view",)
        permissions = (("end_watchedsession", _("Can end watched sessions")),)
        indexes = (
            models.Index(fields=["user", "ended"], name="idlewatch_user_ended"),
            # The order in which the admin lists the records.
            models.Index(fields=["-started", "-id"], name="idlewatch_started"),
            # The orders in which the live page lists sessions; of live ones alone, so that they stay small.
            models.Index(fields=["username", "id"], condition=LIVES, name="idlewatch_live_username"),
            models.Index(fields=["started", "id"], condition=LIVES, name="idlewatch_live_started"),
            models.Index(fields=["last_active", "id"], condition=LIVES, name="idlewatch_live_last_active"),
        )

    def __str__(self) -> str:
        return f"{self.username}, {timezone.localtime(self.started):%Y-%m-%d %H:%M}"


class Live(WatchedSession):
    """The sessions that live: a model of its own gives the live page its address in the admin."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("live session")
        verbose_name_plural = _("live sessions")


class Draft(models.Model):
    """What a user had typed into a form of a page: not sent yet, or refused because the session had ended."""

    class Kind(models.TextChoices):
        """Why it is kept."""

        DRAFT = "draft"
        REFUSED = "refused"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    place = models.CharField(max_length=64)
    """A keyed digest of user and page: where they were is nobody's business."""
    form = models.CharField(max_length=100)
    """Which of the page's forms."""
    kind = models.CharField(max_length=8, choices=Kind.choices)
    sealed = models.TextField()
    """What was typed, encrypted; see `idlewatch.drafts.service`."""
    saved = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["user", "place", "form", "kind"], name="idlewatch_draft_unique"),
        )

    def __str__(self) -> str:
        return f"{self.kind} of user {self.user_id}, {self.saved:%Y-%m-%d %H:%M}"


class StoreOwner(models.Model):
    """Which web process owns the memory store: there is one row at most."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    process = models.CharField(max_length=32)
    """The random name of the process: a pid comes again."""
    renewed = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class KeptSample(models.Model):
    """How many sessions there were at one moment of the last hour, kept for a memory store that is started anew."""

    at = models.FloatField()
    """Epoch seconds."""
    active = models.PositiveIntegerField()
    warned = models.PositiveIntegerField()
    ended = models.PositiveIntegerField()
    """How many ended since the sample before."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.active} active, {self.warned} warned"
