"""What is never kept of a form, whoever sends it: passwords and the like by their names, card numbers by their looks.

The page's client leaves out much more, for it sees what kind of field each is; this is the second line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import combining, normalize

Field = tuple[str, str]
"""Name and value, as a browser sends them; a name may come more than once."""

CSRF_FIELD = "csrfmiddlewaretoken"
NAMES_FIELD = "_idlewatch_private"
"""The field of a form in which its page names those that must not be kept."""

_SECRETS = (
    "passw passphrase passcode secret token signature credential cvv cvc access-code auth-code card-code one-time-code "
    "otp-code pin-code pin-number security-code verification-code passord kennwort geheimzahl wachtwoord lösenord "
    "adgangskode salasana mot-de-passe contraseña hasło haslo jelszó пароль סיסמה 密码 密碼 "
    "パスワード 暗証番号 비밀번호"
)
"""Wherever they stand in a name, in the languages of the client; for a dash, whatever separates words, or nothing."""
_SECRET_WORDS = frozenset(
    {
        *("api", "apikey", "auth", "cookie", "csc", "key", "otp", "pass", "passkey", "pin", "pwd", "totp"),
        *("clave", "heslo", "mdp", "parola", "senha", "sifre"),
    }
)
"""As words of a name alone, unlike in Django's `hidden_settings`: `author`, `keywords`, `passengers` are no secrets."""
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W\d_]+")
_CARD = re.compile(r"\d(?:(?:[^\w:+(]|_)*\d){12,18}")
"""Whatever stands between the digits, but for what stands in times and telephone numbers."""


def _plain(text: str) -> str:
    """Return a text without the marks on its letters, which may be written in more than one way."""
    return "".join(letter for letter in normalize("NFKD", text) if not combining(letter))


_SECRET = re.compile("|".join(_plain(_SECRETS).split()).replace("-", r"[\W\d_]*"))


def keepable(fields: Iterable[Field], private: Iterable[str] = ()) -> list[Field]:
    """Return the fields that may be kept, without those whose names are given."""
    never = {CSRF_FIELD, NAMES_FIELD, *private}
    return [
        (name, value)
        for name, value in fields
        if name not in never and not is_secret(name) and not looks_like_a_card(value)
    ]


def is_secret(name: str) -> bool:
    """Tell whether a field of this name holds a secret."""
    name = _plain(name)
    words = {word.lower() for word in _BETWEEN_WORDS.split(name)}
    return _SECRET.search(name.lower()) is not None or not words.isdisjoint(_SECRET_WORDS)


def looks_like_a_card(value: str) -> bool:
    """Tell whether a value is a card's number: 13 to 19 digits, signs or spaces between, that pass Luhn's test."""
    if not _CARD.fullmatch(value.strip()):
        return False
    digits = [int(digit) for digit in reversed(value) if digit.isdecimal()]
    doubled = (digit * 2 for digit in digits[1::2])
    return (sum(digits[::2]) + sum(digit // 10 + digit % 10 for digit in doubled)) % 10 == 0
