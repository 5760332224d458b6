from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from idlewatch.conf import validators
from idlewatch.conf.validators import (
    Backend,
    Boolean,
    Choice,
    DottedObject,
    DottedPath,
    Duration,
    Integer,
    OrNone,
    Patterns,
    Strings,
    Thresholds,
    Token,
    Validator,
)

HERE = f"{__name__}.callable_for_tests"
BACKEND = "idlewatch.store.memory.MemoryStore"
TOKEN = "a-token-that-cannot-be-guessed"
WHERE = "IDLEWATCH['KEY']"


def callable_for_tests(*_: object) -> None:
    """Be imported by a dotted path."""


DURATIONS = [-1, -0.5, timedelta(days=-1), True, "900", float("nan"), float("inf"), float("-inf"), 10**400, [1], {}, 1j]

USABLE: list[tuple[Validator, object, object]] = [
    (Duration(), 77, 77.0),
    (Duration(), 77.5, 77.5),
    (Duration(), timedelta(minutes=1, seconds=17), 77.0),
    (Duration(zero=True), 0, 0.0),
    (Duration(maximum=60), 60, 60.0),
    (OrNone(Duration()), None, None),
    (OrNone(Duration()), 1, 1.0),
    (Integer(), 1, 1),
    (OrNone(Integer()), None, None),
    (Thresholds(), [700, 10, 0], (700, 10, 0)),
    (Boolean(), True, True),
    (Boolean(), False, False),
    (Choice(("a", "b")), "b", "b"),
    (Strings("names"), ["a", "b"], frozenset("ab")),
    (Strings("names"), {"a"}, frozenset("a")),
    (Strings("names"), (), frozenset()),
    (Patterns(), (), None),
    (DottedPath(), HERE, callable_for_tests),
    (DottedObject(("total_seconds",)), f"{__name__}.timedelta", timedelta()),
    (DottedObject(("search",)), "idlewatch.conf.validators.TOKEN", validators.TOKEN),
    (Token(), TOKEN, TOKEN),
    (Token(), f"{TOKEN}==", f"{TOKEN}=="),
    (Backend(), {"BACKEND": BACKEND}, {"BACKEND": BACKEND}),
    (Backend(), {"BACKEND": BACKEND, "LOCATION": None, "OPTIONS": None}, ...),
    (Backend(), {"BACKEND": BACKEND, "LOCATION": "here", "OPTIONS": {"a": 1}}, ...),
]
UNUSABLE: list[tuple[Validator, object]] = [
    *((Duration(), value) for value in [*DURATIONS, 0, None]),
    *((Duration(zero=True), value) for value in [*DURATIONS, None]),
    *((OrNone(Duration()), value) for value in [*DURATIONS, 0]),
    (Duration(maximum=60), 60.1),
    (Duration(maximum=60), 1e300),
    *((Integer(), value) for value in [0, -1, 2.5, 1.0, "50", True, None]),
    *((OrNone(Integer()), value) for value in [0, True, "1"]),
    *((Thresholds(), value) for value in [(700, 10), (700, 10, -1), (700, 10, 2**31), (700, 10, True), 700, None]),
    *((Boolean(), value) for value in [0, 1, "False", "", None]),
    *((Choice(("a", "b")), value) for value in ["c", "", 4, ["a"], None]),
    *((Strings("names"), value) for value in ["poll", [None], {"a": 1}, (b"a",), None]),
    *((Patterns(), value) for value in ["^/poll/", [1], ["(unclosed"], ["^/a", "(?i)^/b"], {"^/": 1}, (b"^/",), None]),
    *((DottedPath(), value) for value in [callable_for_tests, 7, "", "no dots", "nowhere.at.all", f"{__name__}.HERE"]),
    *((DottedPath(), value) for value in [f"{__name__}.nothing", None]),
    *((DottedObject(("days",)), value) for value in [7, "nowhere", HERE, f"{__name__}.timedelta", None]),
    (DottedObject(("__call__",)), "idlewatch.conf.validators.DottedObject"),
]


@pytest.mark.parametrize(("validator", "value", "expected"), USABLE)
def test_usable_value_is_parsed(validator: Validator, value: object, expected: object):
    assert validator(WHERE, value) == (value if expected is ... else expected)


@pytest.mark.parametrize(("validator", "value"), UNUSABLE)
def test_unusable_value_is_named_with_its_place_and_what_was_expected(validator: Validator, value: object):
    with pytest.raises(ImproperlyConfigured) as raised:
        validator(WHERE, value)
    assert str(raised.value).startswith(f"{WHERE} is {value!r}")
    assert str(raised.value).endswith(f"; expected {validator.expected}.")


@pytest.mark.rule("R23")
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("guessable", "a string of 9 characters"),
        ("with blanks in the midst of it", "a string of 30 characters"),
        ("", "a string of 0 characters"),
        (7, "a int"),
        (TOKEN.encode(), "a bytes"),
    ],
)
def test_message_shows_no_token(value: object, shown: str):
    with pytest.raises(ImproperlyConfigured) as raised:
        OrNone(Token())(WHERE, value)
    assert str(raised.value) == f"{WHERE} is {shown}; expected {OrNone(Token()).expected}."


@pytest.mark.rule("R23")
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "a NoneType;"),
        ("redis://:secret@host", "a str;"),
        ({}, "a dict whose BACKEND is a NoneType;"),
        ({"BACKEND": callable_for_tests}, "a dict whose BACKEND is a function;"),
        ({"BACKEND": BACKEND, "LOCATION": ["redis://:secret@host"]}, "a dict whose LOCATION is a list;"),
        ({"BACKEND": BACKEND, "LOCATION": 6379}, "a dict whose LOCATION is a int;"),
        ({"BACKEND": BACKEND, "OPTIONS": "password=secret"}, "a dict whose OPTIONS is a str;"),
        ({"BACKEND": BACKEND, "OPTION": {"password": "secret"}}, "a dict with the unknown keys ['OPTION'];"),
    ],
)
def test_message_shows_nothing_that_a_backend_holds(value: object, problem: str):
    with pytest.raises(ImproperlyConfigured, match=re.escape(problem)) as raised:
        Backend()(WHERE, value)
    assert "secret" not in str(raised.value)


def test_message_names_the_pattern_that_cannot_be_compiled():
    with pytest.raises(ImproperlyConfigured, match=re.escape("'^/(broken' can't be compiled")):
        Patterns()(WHERE, [r"^/fine/", r"^/(broken"])


def test_patterns_match_where_any_of_them_does():
    pattern = Patterns()(WHERE, [r"^/poll/", r"\.json$|^/ping$"])
    assert pattern is not None
    matches = [bool(pattern.search(path)) for path in ("/poll/1", "/a.json", "/ping", "/pings", "/x/poll/")]
    assert matches == [True, True, True, False, False]


def test_every_validator_is_tested():
    kinds = {kind for kind in vars(validators).values() if isinstance(kind, type) and issubclass(kind, Validator)}
    tested = {type(validator) for validator, *_ in USABLE}
    assert kinds - tested == {Validator}
