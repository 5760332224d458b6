"""The catalogues: complete, right in form, and what a page really says."""

from __future__ import annotations

import ast
import gettext
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from django.test import Client
from django.urls import include, path
from django.utils import translation
from django.utils.translation import trans_real

from idlewatch.core.activity import Reason
from idlewatch.drafts import client as drafts
from idlewatch.http.i18n import NOTICES, ui_direction, ui_language
from idlewatch.http.responses import undecided_response
from idlewatch.models import WatchedSession
from idlewatch.templatetags import idlewatch as tag
from tests.support.node import NODE
from tests.support.serving import ROOT
from tests.unit.templatetags.test_idlewatch import CLIENT, Tags, body, config_of, end, page, sign_in

STRINGS = tag.STRINGS | drafts.STRINGS
APP = ROOT / "idlewatch"
LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "it", "ja", "nl", "pl", "pt_BR", "tr", "uk", "zh_Hans")
FOREIGN = tuple(language for language in LANGUAGES if language != "en")
SAME_WORD = {
    # These languages have borrowed it.
    ("de", "Offline"),
    ("it", "Offline"),
    ("nl", "Offline"),
    ("pl", "Offline"),
    ("it", "user agent"),
    ("de", "Filter"),
    ("de", "Tabs"),
    ("de", "Phase"),
    ("fr", "{n} session"),
    ("fr", "session"),
    ("fr", "Message"),
    ("fr", "%(count)d minute"),
    ("fr", "Sessions"),
    ("fr", "Actions"),
    ("fr", "Phase"),
    ("fr", "Pages"),
    ("it", "Password"),
    ("nl", "Filter"),
    ("pl", "Operator"),
}
"""What reads like English and is not."""
PLACEHOLDER = re.compile(r"\{\w*\}|%\(\w+\)[a-z]|%[sd]")
ENTRY = re.compile(r'^(?:(?P<keyword>msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?) )?(?P<text>".*")$')

urlpatterns = [path("", page), path("login/", page), path("idlewatch/", include("idlewatch.urls"))]

pytestmark = pytest.mark.urls(__name__)


@dataclass
class Entry:
    """One string of a catalogue."""

    parts: dict[str, str] = field(default_factory=dict)
    flags: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        context, one, many = (self.parts.get(keyword, "") for keyword in ("msgctxt", "msgid", "msgid_plural"))
        return context, one, many

    @property
    def translations(self) -> list[str]:
        return [text for keyword, text in self.parts.items() if keyword.startswith("msgstr")]


def catalogue(of: Path, language: str) -> Path:
    return of / "locale" / language / "LC_MESSAGES" / "django.po"


@cache
def read(file: Path) -> dict[tuple[str, str, str], Entry]:
    """Read a catalogue, its header and its obsolete strings included."""
    entries = []
    for block in file.read_text(encoding="utf-8").strip().split("\n\n"):
        entry, keyword = Entry(), ""
        for line in block.splitlines():
            if line.startswith("#,"):
                entry.flags += line[2:]
            if found := ENTRY.match(line.removeprefix("#~ ")):
                keyword = found["keyword"] or keyword
                entry.parts[keyword] = entry.parts.get(keyword, "") + ast.literal_eval(found["text"])
        entries.append(entry)
    return {entry.key: entry for entry in entries}


def strings(file: Path) -> dict[tuple[str, str, str], Entry]:
    return {key: entry for key, entry in read(file).items() if key[1]}


NUMBERS = range(201)


def plural_forms(language: str) -> tuple[int, str]:
    header = read(catalogue(APP, language))["", "", ""].parts["msgstr"]
    found = re.search(r"^Plural-Forms: nplurals=(\d+); plural=(.+);$", header, re.MULTILINE)
    assert found is not None
    return int(found[1]), found[2]


def tag(language: str) -> str:
    """Return what a browser calls a language."""
    return {"zh_Hans": "zh-CN"}.get(language, language.replace("_", "-"))


@cache
def plural_categories() -> dict[str, list[str]]:
    """Return the categories that browsers put the numbers in, by language."""
    script = """
        const [size, ...languages] = process.argv.slice(1);
        const numbers = [...Array(Number(size)).keys()];
        const categories = (language) => numbers.map((number) => new Intl.PluralRules(language).select(number));
        console.log(JSON.stringify(Object.fromEntries(languages.map((each) => [each, categories(each)]))));
    """
    command = [NODE, "--eval", script, "--", str(len(NUMBERS)), *map(tag, LANGUAGES)]
    found: dict[str, list[str]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


@pytest.fixture
def speaking(settings) -> Iterator[None]:
    """A site that follows the browser's language."""
    after = "django.contrib.sessions.middleware.SessionMiddleware"
    middleware = list(settings.MIDDLEWARE)
    middleware.insert(middleware.index(after) + 1, "django.middleware.locale.LocaleMiddleware")
    settings.MIDDLEWARE = middleware
    with translation.override(None):
        yield


class TestCatalogues:
    def test_they_are_these(self):
        assert sorted(entry.name for entry in (APP / "locale").iterdir()) == sorted(LANGUAGES)

    def test_extracting_the_strings_again_changes_nothing(self, tmp_path):
        copy = tmp_path / "idlewatch"
        shutil.copytree(APP, copy, ignore=shutil.ignore_patterns("*.pyc", "*.mo"))
        done = subprocess.run([ROOT / "scripts" / "messages", copy], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for language in LANGUAGES:
            is_current = catalogue(copy, language).read_bytes() == catalogue(APP, language).read_bytes()
            assert is_current, f"{language}: run make messages, and translate what is new"
            assert catalogue(copy, language).with_suffix(".mo").is_file()

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_string_is_translated(self, language):
        count, _ = plural_forms(language)
        for key, entry in strings(catalogue(APP, language)).items():
            assert "fuzzy" not in entry.flags, key
            assert len(entry.translations) == (count if key[2] else 1), key
            assert all(text.strip() for text in entry.translations), key

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_translations_have_the_placeholders_of_the_original(self, language):
        for (_, one, many), entry in strings(catalogue(APP, language)).items():
            expected = sorted(PLACEHOLDER.findall(many or one))
            for text in entry.translations:
                # Where a form stands for one number alone, it may say it in words.
                assert sorted(PLACEHOLDER.findall(text)) == expected or many, text

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_they_have_marks_of_print(self, language):
        """An apostrophe is no foot mark, three dots are one, and no line begins or ends by a space."""
        for entry in strings(catalogue(APP, language)).values():
            for text in entry.translations:
                assert not re.search(r"""['"]|\.\.\.|^\s|\s$|  """, text), text

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_plural_forms_are_those_of_the_language(self, language):
        count, expression = plural_forms(language)
        categories = plural_categories()[tag(language)]
        form_of = gettext.c2py(expression)
        pairs = {(form_of(number), category) for number, category in zip(NUMBERS, categories, strict=True)}
        assert len(pairs) == len({form for form, _ in pairs}) == len({category for _, category in pairs}) == count

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_what_is_compiled_is_what_is_written(self, language):
        file = catalogue(APP, language)
        with file.with_suffix(".mo").open("rb") as compiled:
            found = gettext.GNUTranslations(compiled)._catalog
        expected = {}
        for (context, one, many), entry in strings(file).items():
            key = f"{context}\x04{one}" if context else one
            if many:
                expected |= {(key, form): text for form, text in enumerate(entry.translations)}
            else:
                expected[key] = entry.translations[0]
        assert {key: text for key, text in found.items() if key} == expected


class TestWords:
    def test_the_client_says_nothing_but_what_is_translated_and_all_of_that(self):
        modules = {*CLIENT.rglob("*.js")} - {*CLIENT.glob("live/*.js"), *CLIENT.glob("*.min.js")}
        source = "".join(file.read_text() for file in modules)
        assert set(re.findall(r'\btext\("(\w+)"', source)) <= set(STRINGS)
        assert {name for name in STRINGS if f'"{name}"' not in source} == set()

    @pytest.mark.parametrize("language", FOREIGN)
    def test_nothing_falls_back_to_english(self, language):
        for (context, one, _), entry in strings(catalogue(APP, language)).items():
            is_word = re.search(r"[^\W\d_]", PLACEHOLDER.sub("", one))
            if is_word and not context and (language, one) not in SAME_WORD:
                assert one not in entry.translations

    @pytest.mark.django_db
    @pytest.mark.usefixtures("speaking")
    @pytest.mark.parametrize("language", FOREIGN)
    def test_a_page_speaks_the_language_of_the_browser(self, language):
        client = Client(headers={"Accept-Language": f"{tag(language)},en;q=0.5"})
        sign_in(client)
        html = body(client)
        config = config_of(html)
        assert config["language"] == language.replace("_", "-")
        assert config["direction"] == ("rtl" if language == "ar" else "ltr")
        translated = {entry.translations[0] for entry in strings(catalogue(APP, language)).values()}
        said = [*Tags(html).words, *config["strings"].values()]
        assert len(said) > 20
        assert set(said) <= translated

    @pytest.mark.django_db
    @pytest.mark.usefixtures("speaking")
    @pytest.mark.parametrize(
        ("asked", "marks"),
        [("ar", 'lang="ar" dir="rtl"'), ("pt-br", 'lang="pt-BR" dir="ltr"'), ("he", 'lang="en" dir="ltr"')],
    )
    def test_the_reason_says_which_language_it_is_in(self, asked, marks):
        client = Client(headers={"Accept-Language": asked})
        sign_in(client)
        end(client)
        with translation.override(asked):
            notice = str(NOTICES[Reason.REVOKED])
        assert f"{marks}>{notice}</p>" in body(client)

    @pytest.mark.parametrize("language", FOREIGN)
    def test_the_server_speaks_it_too(self, language, rf):
        english = [str(sentence) for sentence in NOTICES.values()]
        with translation.override(translation.to_language(language)):
            notices = [str(NOTICES[reason]) for reason in Reason]
            labels = [str(label) for _, label in WatchedSession._meta.get_field("reason").choices]
            assert not set(notices) & set(english)
            assert len(set(labels)) == len(Reason)
            assert str(WatchedSession._meta.verbose_name_plural) != "session history"
            assert undecided_response(rf.get("/")).content.decode() != "One moment, please."

    @pytest.mark.parametrize(
        ("asked", "given"),
        [("de-at", "de"), ("es-mx", "es"), ("fr-ca", "fr"), ("ar-dz", "ar"), ("en-gb", "en"), ("zh-hans", "zh-Hans")],
    )
    def test_a_region_has_the_words_of_its_language(self, asked, given):
        with translation.override(asked):
            assert ui_language() == given

    def test_where_there_is_no_catalogue_the_words_are_english_and_say_so(self):
        with translation.override("he"):
            assert translation.get_language_bidi()
            assert str(NOTICES[Reason.LOGOUT]) == "You have signed out."
            assert (ui_language(), ui_direction()) == ("en", "ltr")

    def test_where_there_is_no_catalogue_the_words_are_the_site_s_own_and_say_so(self, settings, monkeypatch):
        monkeypatch.setattr(trans_real, "_translations", {})
        settings.LANGUAGE_CODE = "de"
        with translation.override("fi"):
            assert str(NOTICES[Reason.LOGOUT]) == "Sie haben sich abgemeldet."
            assert ui_language() == "de"

    def test_a_site_may_bring_words_of_its_own(self, settings, tmp_path):
        file = catalogue(tmp_path, "sv")
        file.parent.mkdir(parents=True)
        context = 'msgctxt "code of this catalogue\'s language"'
        header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"'
        words = 'msgid "You have signed out."\nmsgstr "Du har loggat ut."'
        file.write_text(f'{header}\n\n{context}\nmsgid "en"\nmsgstr "sv"\n\n{words}\n')
        subprocess.run(["msgfmt", "--output-file", file.with_suffix(".mo"), file], check=True)
        settings.LOCALE_PATHS = [tmp_path / "locale"]
        with translation.override("sv"):
            assert str(NOTICES[Reason.LOGOUT]) == "Du har loggat ut."
            assert ui_language() == "sv"
