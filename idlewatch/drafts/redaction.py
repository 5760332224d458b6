"""Redaction of forms: fields that are never stored, such as passwords (by name) and card numbers (by value).

The client in the page leaves out much more, since it sees the type of each field; this is the second line of defense.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import combining, normalize

Field = tuple[str, str]
"""Name and value, as a browser sends them; several fields may have the same name."""

CSRF_FIELD = "csrfmiddlewaretoken"
NAMES_FIELD = "_idlewatch_private"
"""The form field that names private fields, one by one."""

_SECRETS = (
    "passw passphrase passcode secret token signature credential cvv cvc access-code auth-code card-code one-time-code "
    "otp-code pin-code pin-number security-code verification-code passord kennwort geheimzahl wachtwoord lösenord "
    "adgangskode salasana mot-de-passe contraseña hasło haslo jelszó пароль סיסמה 密码 密碼 "
    "パスワード 暗証番号 비밀번호"
)
"""Parts of a name, in the client's languages; a dash stands for any separator of words, or none."""
_SECRET_WORDS = frozenset(
    {
        *("api", "apikey", "auth", "cookie", "csc", "key", "otp", "pass", "passkey", "pin", "pwd", "totp"),
        *("clave", "heslo", "mdp", "parola", "senha", "sifre"),
    }
)
"""Whole words of a name, unlike in Django's `hidden_settings`: `author`, `keywords`, `passengers` are not secrets."""
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W\d_]+")
_CARD = re.compile(r"\d(?:(?:[^\w:+(]|_)*\d){12,18}")
"""Any separators between the digits, except those of times and telephone numbers."""


def _plain(text: str) -> str:
    """Return a text without diacritics, which Unicode encodes in more than one way."""
    return "".join(letter for letter in normalize("NFKD", text) if not combining(letter))


_SECRET = re.compile("|".join(_plain(_SECRETS).split()).replace("-", r"[\W\d_]*"))


def redact(fields: Iterable[Field], private: Iterable[str] = ()) -> list[Field]:
    """Return the fields that may be stored; those named in `private` may not."""
    excluded = {CSRF_FIELD, NAMES_FIELD, *private}
    return [
        (name, value)
        for name, value in fields
        if name not in excluded and not is_secret(name) and not is_card_number(value)
    ]


def is_secret(name: str) -> bool:
    """Return whether a field of this name holds a secret."""
    name = _plain(name)
    words = {word.lower() for word in _BETWEEN_WORDS.split(name)}
    return _SECRET.search(name.lower()) is not None or not words.isdisjoint(_SECRET_WORDS)


def is_card_number(value: str) -> bool:
    """Return whether a value looks like a card number: 13 to 19 digits, separated or not, that pass the Luhn test."""
    if not _CARD.fullmatch(value.strip()):
        return False
    digits = [int(digit) for digit in reversed(value) if digit.isdecimal()]
    doubled = (digit * 2 for digit in digits[1::2])
    return (sum(digits[::2]) + sum(digit // 10 + digit % 10 for digit in doubled)) % 10 == 0
