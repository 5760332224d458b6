"""The vocabulary: words that the project does not use, in code, docs and the English strings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = (
    "*.md",
    ".editorconfig",
    ".pre-commit-config.yaml",
    "Makefile",
    "docs/**/*.conf",
    "docs/**/*.html",
    "docs/**/*.js",
    "docs/**/*.md",
    "docs/**/*.tsx",
    "docs/**/*.yml",
    "idlewatch/**/*.py",
    "idlewatch/**/*.lua",
    "idlewatch/**/*.html",
    "idlewatch/locale/en/**/*.po",
    "project/**/*.py",
    "pyproject.toml",
    "project/**/*.html",
    "scripts/*",
    "static/**/*.js",
    "static/**/*.ts",
    "tests/**/*.html",
    "tests/**/*.py",
    "tests/**/*.mjs",
)
GLOSSARY = ROOT / "docs" / "glossary.md"
"""Names the words in order to say what stands in their place."""
ODD = {
    "whoever": "who, any caller that",
    "nobody": "no one, or name what is missing",
    "somebody": "someone, or name who",
    "anew": "again",
    "vouch": "confirm, report",
    "vouches": "confirms, reports",
    "vouched": "confirmed, reported",
    "tell whether": "return whether",
    "tells whether": "returns whether",
    "say that": "report, state",
    "what is none": "what does not exist",
    "it is they": "the user",
    "of late": "recently",
    "dear": "expensive",
    "log out": "sign out, in what people read",
    "logged out": "signed out, in what people read",
}
PATTERNS_OF_WORDS = (word.replace(" ", r"\s+" if "out" in word else r"[\s_]+") for word in ODD)
# An underscore divides words, too.
WORDS = re.compile(r"(?<![a-z])(" + "|".join(PATTERNS_OF_WORDS) + r")(?![a-z])", re.IGNORECASE)


def sources() -> Iterator[Path]:
    """Yield every file whose text people read."""
    for pattern in PATTERNS:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and path not in {GLOSSARY, Path(__file__)} and ".min." not in path.name:
                yield path


def found(text: str) -> Iterator[tuple[int, str]]:
    """Yield each odd word with its line."""
    for match in WORDS.finditer(text):
        if match[0] in {"Dear", "Logged out"}:
            # Letters in tests begin so; a title of Django's admin.
            continue
        yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].replace("_", " ").split()).lower()


def test_every_text_uses_the_words_of_the_field():
    odd = [
        f"{path.relative_to(ROOT)}:{line}: {word!r}; better: {ODD[word]}"
        for path in sources()
        for line, word in found(path.read_text())
    ]
    assert not odd, "\n".join(odd)


def test_an_odd_word_is_found_across_a_line_break():
    assert list(found("Tell\n    whether it is there")) == [(1, "tell whether")]
