"""The table of drafts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from idlewatch.managers import PrimaryManager


class Draft(models.Model):
    """What a user typed into a form of a page: not sent yet, or refused because the session had ended."""

    class Kind(models.TextChoices):
        """Why it is stored."""

        DRAFT = "draft"
        REFUSED = "refused"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    page_digest = models.CharField(max_length=64)
    """A keyed digest of user and page, so that the table does not show who visited what."""
    form = models.CharField(max_length=100)
    """The name of the form in its page."""
    kind = models.CharField(max_length=8, choices=Kind.choices)
    ciphertext = models.TextField()
    """The fields of the form, encrypted; see `idlewatch.drafts.cipher`."""
    saved_at = models.DateTimeField(db_index=True)

    objects = PrimaryManager["Draft"]()

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["user", "page_digest", "form", "kind"], name="idlewatch_draft_unique"),
        )

    def __str__(self) -> str:
        return f"{self.kind} of user {self.user_id}, {self.saved_at:%Y-%m-%d %H:%M}"
