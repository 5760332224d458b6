"""`manage.py demo`: the demo's accounts."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Make the demo's accounts, or set their passwords back."""

    help = "Makes the accounts demo/demo and admin/admin (superuser). Refuses unless DEBUG is on."

    def handle(self, *_args: object, **_options: object) -> None:
        """Make or mend both accounts, and say what they are."""
        if not settings.DEBUG:
            msg = "DEBUG is off: accounts with passwords that everyone knows are made only where it is on."
            raise CommandError(msg)
        self.account("demo", superuser=False)
        self.account("admin", superuser=True)
        self.stdout.write("Accounts: demo / demo, and admin / admin (superuser)")

    def account(self, name: str, *, superuser: bool) -> None:
        """Make one account whose password is its name; one that is as it should be keeps its sessions."""
        user, _ = User.objects.get_or_create(username=name)
        if not user.check_password(name):
            user.set_password(name)
        user.is_active = True
        user.is_staff = user.is_superuser = superuser
        user.save()
