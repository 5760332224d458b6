"""The catalogues: complete, right in form, and what a page really says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.test import Client
from django.urls import include, path
from django.utils import translation
from django.utils.translation import trans_real

from idlewatch.core.activity import Reason
from idlewatch.drafts import client as drafts
from idlewatch.exceptions import Undecided
from idlewatch.http.i18n import NOTICES, ui_direction, ui_language
from idlewatch.http.responses import undecided_response
from idlewatch.models import WatchedSession
from idlewatch.templatetags import idlewatch
from tests.support.node import NODE
from tests.support.serving import ROOT
from tests.unit.templatetags.test_idlewatch import CLIENT, Tags, body, config_of, end, page, sign_in

STRINGS = idlewatch.STRINGS | drafts.STRINGS
APP = ROOT / "idlewatch"
LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "it", "ja", "nl", "pl", "pt_BR", "tr", "uk", "zh_Hans")
FOREIGN = tuple(language for language in LANGUAGES if language != "en")
SAME_WORD = {
    "de": {"Offline", "Filter", "Tabs", "Phase"},
    "fr": {"{n} session", "session", "Message", "%(count)d minute", "Sessions", "Actions", "Phase", "Pages"},
    "it": {"Offline", "user agent", "Password"},
    "nl": {"Offline", "Filter"},
    "pl": {"Offline", "Operator"},
}
"""What reads like English and is not: these languages have borrowed it."""
PLACEHOLDER = re.compile(r"\{\w*\}|%\(\w+\)[a-z]|%[sd]")
UNTRANSLATED = re.compile(r'^msgstr(?:\[\d+\])? ""\n(?!")', re.MULTILINE)
NUMBERS = range(201)

urlpatterns = [path("", page), path("login/", page), path("idlewatch/", include("idlewatch.urls"))]

pytestmark = pytest.mark.urls(__name__)


def catalogue(of: Path, language: str) -> Path:
    return of / "locale" / language / "LC_MESSAGES" / "django.po"


@cache
def compiled(language: str, of: Path = APP) -> GNUTranslations:
    with catalogue(of, language).with_suffix(".mo").open("rb") as file:
        return GNUTranslations(file)


def translations(language: str, of: Path = APP) -> dict[tuple[str, int | None], str]:
    """Return each translation by the original, behind its context if it has one, and the number of the plural form."""
    found = compiled(language, of)._catalog  # type: ignore[attr-defined]
    return {key if isinstance(key, tuple) else (key, None): text for key, text in found.items() if key}


def plural_count(language: str) -> int:
    return int(re.fullmatch(r"nplurals=(\d+);.*", compiled(language).info()["plural-forms"])[1])  # type: ignore[index]


def language_tag(language: str) -> str:
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
    command = [NODE, "--eval", script, "--", str(len(NUMBERS)), *map(language_tag, LANGUAGES)]
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

    def test_extracting_the_strings_again_changes_nothing_and_begins_a_new_language(self, tmp_path):
        copy = tmp_path / "idlewatch"
        shutil.copytree(APP, copy, ignore=shutil.ignore_patterns("*.pyc", "*.mo"))
        (copy / "locale" / "sv").mkdir()
        done = subprocess.run([ROOT / "scripts" / "messages", copy], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for language in LANGUAGES:
            is_current = catalogue(copy, language).read_bytes() == catalogue(APP, language).read_bytes()
            assert is_current, f"{language}: run make messages, and translate what is new"
            assert translations(language, copy) == translations(language), f"{language}: run make messages"
        assert catalogue(copy, "sv").read_text().count("\nmsgid ") == catalogue(APP, "de").read_text().count("\nmsgid ")
        assert catalogue(copy, "sv").with_suffix(".mo").is_file()

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_string_is_translated_in_every_form(self, language):
        text = catalogue(APP, language).read_text(encoding="utf-8")
        assert "#, fuzzy" not in text
        assert not UNTRANSLATED.findall(text)
        assert translations(language).keys() == {
            (original, None if form is None else number)
            for original, form in translations("en")
            for number in range(1 if form is None else plural_count(language))
        }

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_translations_have_the_placeholders_of_the_original_and_marks_of_print(self, language):
        """An apostrophe is no foot mark, three dots are one, and no line begins or ends by a space."""
        for (original, form), text in translations(language).items():
            found = sorted(PLACEHOLDER.findall(text))
            if form is None:
                assert found == sorted(PLACEHOLDER.findall(original)), text
            else:
                # Where a form stands for one number alone, it may say it in words.
                assert set(found) <= set(PLACEHOLDER.findall(translations("en")[original, 1])), text
            assert not re.search(r"""['"]|\.\.\.|^\s|\s$|  """, text), text

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_plural_forms_are_those_of_the_language(self, language):
        categories = plural_categories()[language_tag(language)]
        form_of = compiled(language).plural  # type: ignore[attr-defined]
        pairs = {(form_of(number), category) for number, category in zip(NUMBERS, categories, strict=True)}
        forms, names = map(set, zip(*pairs, strict=True))
        assert len(pairs) == len(forms) == len(names) == plural_count(language)


class TestWords:
    def test_the_client_says_nothing_but_what_is_translated_and_all_of_that(self):
        modules = {*CLIENT.rglob("*.js")} - {*CLIENT.glob("live/*.js"), *CLIENT.glob("*.min.js")}
        source = "".join(file.read_text() for file in modules)
        assert set(re.findall(r'\btext\("(\w+)"', source)) <= set(STRINGS)
        assert {name for name in STRINGS if f'"{name}"' not in source} == set()

    @pytest.mark.parametrize("language", FOREIGN)
    def test_nothing_falls_back_to_english(self, language):
        for (original, _), text in translations(language).items():
            if re.search(r"[^\W\d_]", PLACEHOLDER.sub("", original)) and original not in SAME_WORD.get(language, ()):
                assert text != original

    @pytest.mark.django_db
    @pytest.mark.usefixtures("speaking")
    @pytest.mark.parametrize("language", FOREIGN)
    def test_a_page_speaks_the_language_of_the_browser(self, language):
        client = Client(headers={"Accept-Language": f"{language_tag(language)},en;q=0.5"})
        sign_in(client)
        html = body(client)
        config = config_of(html)
        assert config["language"] == language.replace("_", "-")
        assert config["direction"] == ("rtl" if language == "ar" else "ltr")
        said = [*Tags(html).words, *config["strings"].values()]
        assert len(said) > 20
        assert set(said) <= {*translations(language).values()}

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
            assert undecided_response(rf.get("/"), Undecided()).content.decode() != "One moment, please."

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
