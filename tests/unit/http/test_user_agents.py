from __future__ import annotations

from unittest import mock

import pytest
from django.utils.translation import override

from idlewatch.http import user_agents
from idlewatch.http.user_agents import device_name, device_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36", "Chrome 131 on Windows"),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {APPLE} Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari 17 on iPhone",
        ),
        (
            f"Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) {APPLE} CriOS/126.0.64 Mobile/15E148 Safari/604.1",
            "Chrome 126 on iPad",
        ),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/17.4 Safari/605.1.15", "Safari 17 on macOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox 128 on Linux"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/131.0.0.0 Safari/537.36", "Chrome 131 on ChromeOS"),
        ("curl/8.5.0", "curl 8"),
        ("Mozilla/5.0", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_a_user_agent_is_put_into_words(user_agent: str, words: str):
    with override("en"):
        assert device_of(user_agent) == words


def test_a_probe_of_the_site_has_no_device_but_a_name():
    with override("en"):
        assert device_name("9Qw2", "curl/8.5.0") == "curl 8"
        assert device_name("probe:9Qw2", "curl/8.5.0") == "Check of this site"
    with override("de"):
        assert device_name("probe:9Qw2", "") == "Prüfung dieser Website"


@pytest.mark.parametrize(("user_agent", "words"), [("curl/8.5.0", "curl 8"), ("<script>", "Unknown device")])
def test_without_the_parser_the_product_is_named(user_agent: str, words: str):
    user_agents._read.cache_clear()
    with override("en"), mock.patch("idlewatch.http.user_agents.is_installed", return_value=False):
        assert device_of(user_agent) == words
    user_agents._read.cache_clear()


def test_it_is_read_once():
    user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:77.0) Gecko/20100101 Firefox/77.0"
    user_agents._read.cache_clear()
    with mock.patch("idlewatch.http.user_agents.parse", side_effect=user_agents.parse) as parse:
        assert {device_of(user_agent) for _ in range(3)} == {"Firefox 77 on Linux"}
    assert parse.call_count == 1


def test_a_parser_that_fails_is_an_unknown_device():
    user_agents._read.cache_clear()
    with mock.patch("idlewatch.http.user_agents.parse", side_effect=RuntimeError("The patterns are broken.")):
        assert device_of("Mozilla/5.0 whatever") == "Unknown device"
    user_agents._read.cache_clear()


@pytest.mark.parametrize("user_agent", ["Mozilla/5.0 " + "(X11; " * 100, "\x00", "((((", "é" * 80, "\ud83d"])
def test_there_are_words_for_any_text(user_agent: str):
    assert device_of(user_agent)
