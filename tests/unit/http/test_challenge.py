"""Challenges and their answers: what is accepted, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from idlewatch.http.challenge import (
    CHALLENGE_VALIDITY,
    MAX_LENGTH,
    is_answer,
    make_answer,
    make_challenge,
    secret_of,
)

NOW = 1_800_000_000.0
BODY = b'{"process":"p1"}'


@pytest.fixture(autouse=True)
def keys(settings: Any) -> Any:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
    return settings


def test_a_challenge_is_accepted_for_a_minute_by_either_clock():
    challenge = make_challenge(NOW)
    for now in (NOW - CHALLENGE_VALIDITY, NOW, NOW + CHALLENGE_VALIDITY):
        assert secret_of(challenge, now) == "new"
    for now in (NOW - CHALLENGE_VALIDITY - 1, NOW + CHALLENGE_VALIDITY + 1):
        assert secret_of(challenge, now) is None


def test_no_two_challenges_are_the_same():
    assert make_challenge(NOW) != make_challenge(NOW)


def test_a_site_whose_key_has_just_changed_answers_with_the_key_of_the_doctor(keys: Any):
    keys.SECRET_KEY, keys.SECRET_KEY_FALLBACKS = "old", []
    challenge = make_challenge(NOW)
    keys.SECRET_KEY, keys.SECRET_KEY_FALLBACKS = "new", ["old"]
    secret = secret_of(challenge, NOW)
    assert secret == "old"
    answer = make_answer(challenge, BODY, secret)
    keys.SECRET_KEY, keys.SECRET_KEY_FALLBACKS = "old", []
    assert is_answer(answer, challenge, BODY)


def test_a_challenge_of_another_key_is_refused(keys: Any):
    challenge = make_challenge(NOW)
    keys.SECRET_KEY, keys.SECRET_KEY_FALLBACKS = "another", []
    assert secret_of(challenge, NOW) is None


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        ".",
        "..",
        "1800000000",
        "1800000000.nonce",
        "1800000000.nonce.",
        "1800000000.nonce.signature",
        "x.nonce.signature",
        "-1.nonce.signature",
        "1e9.nonce.signature",
        "\u0661\u0668.nonce.signature",
        "²2.nonce.signature",
        f"{'9' * 5000}.nonce.signature",
        f"1800000000.{'n' * 100_000}.signature",
        "1800000000.nonce.\udcff",
        "1800000000.nonce.é",
    ],
)
def test_what_is_no_challenge_is_refused(challenge: str):
    assert secret_of(challenge, NOW) is None


def test_a_changed_challenge_is_refused():
    challenge = make_challenge(NOW)
    stamp, _, signature = challenge.rpartition(".")
    later = f"{NOW + 1:.0f}{stamp[10:]}"
    for changed in (f"{later}.{signature}", f"{stamp}0.{signature}", f"{stamp}.{signature[:-1]}", challenge + " "):
        assert secret_of(changed, NOW) is None
    assert len(challenge) < MAX_LENGTH


def test_an_answer_is_to_one_challenge_and_of_one_body():
    challenge, other = make_challenge(NOW), make_challenge(NOW)
    answer = make_answer(challenge, BODY, "new")
    assert is_answer(answer, challenge, BODY)
    assert not is_answer(answer, other, BODY)
    assert not is_answer(answer, challenge, BODY + b" ")
    assert not is_answer("", challenge, BODY)
    assert not is_answer("é\udcff", challenge, BODY)


def test_a_challenge_is_no_answer_to_itself():
    """What the doctor sends proves nothing if it is sent back."""
    challenge = make_challenge(NOW)
    for echoed in (challenge, challenge.rpartition(".")[2]):
        assert not is_answer(echoed, challenge, BODY)
        assert not is_answer(echoed, challenge, challenge.encode())
