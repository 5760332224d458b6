"""Users, as URLs and cursors name them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model


def key_of(text: str) -> Any:  # noqa: ANN401 - keys of users are of any type
    """Return the primary key that a string stands for.

    Raises:
        ValidationError: it is not a valid key, such as a number too large for the database.
    """
    field = get_user_model()._meta.pk
    key = field.to_python(text)
    field.run_validators(key)
    return key


def text_of(key: object) -> str:
    """Return a primary key as a string that `key_of` reads."""
    return str(get_user_model()._meta.pk.get_prep_value(key))
