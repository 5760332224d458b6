"""Users, as addresses and cursors name them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model


def key_of(text: str) -> Any:  # noqa: ANN401 - keys of users are of any type
    """Return the primary key that a text stands for.

    Raises:
        ValidationError: it is none; a number that no database holds is none either.
    """
    field = get_user_model()._meta.pk
    key = field.to_python(text)
    field.run_validators(key)
    return key


def text_of(key: object) -> str:
    """Return a primary key as a text, to be read by `key_of`."""
    return str(get_user_model()._meta.pk.get_prep_value(key))
