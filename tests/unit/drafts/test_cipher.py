from __future__ import annotations

import pytest

from idlewatch.drafts.cipher import MAX_PAGE_LENGTH, DecryptionError, decrypt, encrypt, normalize_page
from idlewatch.exceptions import BadMessage

CONTEXT = ("7", "place", "form", "draft")


def test_a_ciphertext_decrypts_in_its_context_alone():
    ciphertext = encrypt(b"a letter", *CONTEXT)
    assert decrypt(ciphertext, *CONTEXT) == b"a letter"
    assert b"letter" not in ciphertext.encode()
    assert encrypt(b"a letter", *CONTEXT) != ciphertext
    for index in range(4):
        other = [*CONTEXT]
        other[index] += "x"
        with pytest.raises(DecryptionError):
            decrypt(ciphertext, *other)
    with pytest.raises(DecryptionError):
        decrypt(ciphertext, "7", "placeform", "", "draft")


def other_letter(ciphertext: str) -> str:
    return ciphertext[:40] + ("A" if ciphertext[40] == "B" else "B") + ciphertext[41:]


@pytest.mark.parametrize("change", [lambda it: it[:-4], other_letter, lambda it: f"A{it}", lambda it: ""])
def test_a_changed_ciphertext_does_not_decrypt(change):
    with pytest.raises(DecryptionError):
        decrypt(change(encrypt(b"a letter" * 9, *CONTEXT)), *CONTEXT)


def test_fallback_keys_decrypt_and_the_newest_key_encrypts(settings):
    old = encrypt(b"a letter", *CONTEXT)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert decrypt(old, *CONTEXT) == b"a letter"
    new = encrypt(b"a letter", *CONTEXT)
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt(new, *CONTEXT) == b"a letter"
    with pytest.raises(DecryptionError):
        decrypt(old, *CONTEXT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a%C3%A4/", "/aä/"),
        ("/a%c3%a4/?q=%C3%A4", "/a%C3%A4/?q=ä"),
        ("/a/?", "/a/"),
        ("/a/#b", "/a/"),
        ("/a/", "/a/#"),
    ],
)
def test_an_address_may_be_written_in_more_than_one_way(one: str, other: str):
    assert normalize_page(one) == normalize_page(other)


@pytest.mark.parametrize(("one", "other"), [("/a%2Fb/", "/a/b/"), ("/?q=a%26b", "/?q=a&b"), ("/?a=1", "/%3Fa=1")])
def test_addresses_that_only_look_alike_stay_apart(one: str, other: str):
    assert normalize_page(one) != normalize_page(other)


@pytest.mark.parametrize(
    "page", ["", "a/", "//evil.example/", "/\\evil.example/", "https://evil.example/", "http://testserver/"]
)
def test_a_page_of_another_site_is_refused(page: str):
    with pytest.raises(BadMessage, match="Expected the path of a page of this site"):
        normalize_page(page)


def test_a_page_with_too_long_an_address_is_refused():
    page = "/" + "a" * (MAX_PAGE_LENGTH - 1)
    assert normalize_page(page) == page
    with pytest.raises(BadMessage, match="at most 2048 characters, got 2049"):
        normalize_page(page + "a")
