from __future__ import annotations

import pytest

from idlewatch.drafts.redaction import redact

SUBJECT = ("subject", "kept")
SECRET_NAMES = (
    "password", "newPassword2", "user[passwd]", "PASSPHRASE", "passwort", "secret_answer", "api_key", "apiKey",
    "csrfmiddlewaretoken", "token", "card-cvc", "CVV2", "otp_1", "pin", "login.pwd", "auth", "_idlewatch_private",
    "security_code", "securityCode", "verification-code", "cardcode", "PINCode", "userPIN2", "CVVNumber", "APIKey",
    "card_code", "pin code", "access_code", "one_time_code", "otpcode", "senha", "contraseña", "contrasen\u0303a",
    "mot_de_passe", "motDePasse", "mdp", "Passwort", "hasło", "haslo", "Пароль", "şifre", "wachtwoord",
    "パスワード", "비밀번호",
)  # fmt: skip
PLAIN_NAMES = (
    "author", "keywords", "passengers", "monkey", "therapist", "opinion", "capital", "spinach", "tokyo", "",
    "postal_code", "countryCode", "code", "eisenhandel", "footprint_code", "conclave", "auto_kennzeichen", "Größe",
)  # fmt: skip
CARD_NUMBERS = (
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111111111111111",
    " 378282246310005 ",
    "6304 0000 0000 0000",
    "4222222222222",
    "4111  1111 1111 1111",
    "4111\u00a01111\u00a01111\u00a01111",
    "4111.1111.1111.1111",
    "4111\N{EN DASH}1111\N{EN DASH}1111\N{EN DASH}1111",
    "4111_1111 / 1111_1111",
    "٤١١١١١١١١١١١١١١١",
)
PLAIN_NUMBERS = (
    "4111 1111 1111 1112",
    "411111111111",
    "41111111111111111111",
    "4111 1111 1111 1111 x",
    "4111:1111:1111:1111",
    "+4111111111111111",
)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_field_whose_name_says_that_it_is_secret_is_left_out(name: str):
    assert redact([SUBJECT, (name, "hunter2")]) == [SUBJECT]


@pytest.mark.parametrize("value", CARD_NUMBERS)
def test_a_card_number_is_left_out(value: str):
    assert redact([SUBJECT, ("number", value)]) == [SUBJECT]


def test_what_only_looks_similar_is_kept():
    fields = [(name, "value") for name in PLAIN_NAMES] + [("number", value) for value in PLAIN_NUMBERS]
    assert redact(fields) == fields


def test_fields_that_the_form_names_as_private_are_left_out():
    assert redact([SUBJECT, ("diagnosis", "a secret")], ["diagnosis", "other"]) == [SUBJECT]
