"""Fill the database of the site in `SITE`, and print which checks complain.

Run as `python -m tests.sites.prepare`, before the site is served.
"""

from __future__ import annotations

import json
import warnings

import django


def main() -> None:
    django.setup()
    from django.core import checks

    from tests.sites.settings import ROW

    found = [message for message in checks.run_checks(databases=["default"]) if _is_ours(message)]
    warned = _fill() if ROW.refused is None else []
    print(json.dumps({"checks": [f"{message.id}: {message.msg}" for message in found], "warned": warned}))


def _fill() -> list[str]:
    """Fill the database; return the warnings about idlewatch."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.utils.module_loading import import_string

    from tests.sites.row import EMAIL, NAME, PASSWORD
    from tests.sites.settings import ROW

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call_command("migrate", verbosity=0, run_syncdb=True)
    model = get_user_model()
    names = {"username": NAME, "email": EMAIL}
    model.objects.create_superuser(
        password=PASSWORD, **{key: value for key, value in names.items() if key in _fields(model)}
    )
    if ROW.prepare is not None:
        import_string(ROW.prepare)()
    return [str(each.message) for each in caught if "idlewatch" in str(each.message)]


def _is_ours(message: object) -> bool:
    """Return whether a check of idlewatch complains, or another one complains about it."""
    return "idlewatch" in f"{message.id} {message.obj}"  # type: ignore[attr-defined]


def _fields(model: object) -> set[str]:
    return {each.name for each in model._meta.get_fields()}  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
