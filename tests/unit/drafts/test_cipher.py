from __future__ import annotations

import pytest

from idlewatch.drafts.cipher import DecryptionError, decrypt, encrypt

CONTEXT = ("7", "place", "form", "draft")


def test_a_ciphertext_decrypts_in_its_context_alone():
    ciphertext = encrypt(b"a letter", *CONTEXT)
    assert decrypt(ciphertext, *CONTEXT) == b"a letter"
    assert b"letter" not in ciphertext.encode()
    for index in range(4):
        other = [*CONTEXT]
        other[index] += "x"
        with pytest.raises(DecryptionError):
            decrypt(ciphertext, *other)
    with pytest.raises(DecryptionError):
        decrypt(ciphertext, "7", "placeform", "", "draft")


def test_the_same_content_is_encrypted_differently_each_time():
    assert encrypt(b"a letter", *CONTEXT) != encrypt(b"a letter", *CONTEXT)


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
