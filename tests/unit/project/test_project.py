from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from idlewatch.conf.settings import SETTINGS
from project import env
from project.management.commands import demo
from tests.support.serving import ROOT, clean_environment


def settings(**environ: str) -> dict[str, Any]:
    """The settings of the project in an environment."""
    kept, fresh = dict(os.environ), clean_environment(**environ)
    os.environ.clear()
    os.environ.update(fresh)
    try:
        return runpy.run_path(str(ROOT / "project" / "settings.py"))
    finally:
        os.environ.clear()
        os.environ.update(kept)


class TestEnvironment:
    def test_without_debug_a_secret_key_is_required(self):
        with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY is unset; expected a long random string"):
            settings()
        assert settings(DEBUG="1")["SECRET_KEY"].startswith("django-insecure-")

    @pytest.mark.parametrize(
        ("environ", "debug"),
        [({"SECRET_KEY": "x"}, False), *(({"DEBUG": word}, True) for word in ("1", "true", "Yes", "on"))],
    )
    def test_debug_is_off_unless_a_word_asks_for_it(self, environ: dict[str, str], debug: bool):
        assert settings(**environ)["DEBUG"] is debug

    def test_lists_are_separated_by_commas(self):
        read = settings(DEBUG="1", ALLOWED_HOSTS="a.test, b.test,", CSRF_TRUSTED_ORIGINS="https://a.test")
        assert read["ALLOWED_HOSTS"] == ["a.test", "b.test"]
        assert read["CSRF_TRUSTED_ORIGINS"] == ["https://a.test"]

    def test_by_default_all_is_in_one_process_and_sqlite_lets_writers_wait(self):
        read = settings(DEBUG="1")
        assert "STORE" not in read["IDLEWATCH"]
        assert read["CHANNEL_LAYERS"]["default"]["BACKEND"] == "channels.layers.InMemoryChannelLayer"
        database = read["DATABASES"]["default"]
        assert database["ENGINE"] == "django.db.backends.sqlite3"
        assert Path(database["NAME"]) == ROOT / "db.sqlite3"
        assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
        assert database["OPTIONS"]["timeout"] == 20
        assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]

    def test_a_database_url_is_taken(self):
        database = settings(DEBUG="1", DATABASE_URL="postgres://me:pw@db.test/site")["DATABASES"]["default"]
        assert database["ENGINE"] == "django.db.backends.postgresql"
        assert (database["HOST"], database["NAME"]) == ("db.test", "site")

    def test_limits_come_by_their_names(self):
        read = settings(
            DEBUG="1",
            IDLEWATCH_IDLE_TIMEOUT="20",
            IDLEWATCH_HEARTBEAT="0.5",
            IDLEWATCH_ABSOLUTE_TIMEOUT="none",
            IDLEWATCH_COUNT_BACKGROUND_REQUESTS="1",
            IDLEWATCH_MAX_TABS="7",
            IDLEWATCH_CLOSE_GRACE="",
        )
        assert read["IDLEWATCH"] == settings(DEBUG="1")["IDLEWATCH"] | {
            "IDLE_TIMEOUT": 20,
            "HEARTBEAT": 0.5,
            "ABSOLUTE_TIMEOUT": None,
            "COUNT_BACKGROUND_REQUESTS": True,
            "MAX_TABS": 7,
        }

    def test_every_numeric_or_boolean_key_and_the_token_can_come_from_the_environment(self):
        others = {"POLICY", "PASSIVE_PATHS", "PASSIVE_URL_NAMES", "ENDED_RESPONSE", "BASELINE", "STORE", "CLIENT_IP"}
        others |= {"REAUTHENTICATE", "GC_THRESHOLDS"}
        assert env.IDLEWATCH_VARIABLES.keys() == {f"IDLEWATCH_{key}" for key in SETTINGS.keys() - others}

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("DEBUG", "perhaps", "1 or 0"),
            ("SECURE", "2", "1 or 0"),
            ("IDLEWATCH_IDLE_TIMEOUT", "15m", "a number of seconds"),
            ("IDLEWATCH_IDLE_TIMEOUT", "-1", "a number of seconds"),
            ("IDLEWATCH_IDLE_TIMEOUT", "nan", "a number of seconds"),
            ("IDLEWATCH_IDLE_TIMEOUT", "none", "a number of seconds"),
            ("IDLEWATCH_MAX_TABS", "1.5", "an integer"),
            ("IDLEWATCH_ACTIVITY_EXTENDS_WARNING", "maybe", "1 or 0"),
            ("DATABASE_URL", "nothing", "a database URL"),
            ("REDIS_URL", "http://redis.test/1", "the URL of a Redis"),
        ],
    )
    def test_a_wrong_value_names_itself_and_what_was_expected(self, name: str, value: str, expected: str):
        shown = value if "URL" not in name else value.partition(":")[0] if ":" in value else ""
        with pytest.raises(ImproperlyConfigured) as raised:
            settings(**{"DEBUG": "1", name: value})
        assert name in str(raised.value)
        assert shown in str(raised.value)
        assert f"expected {expected}" in str(raised.value)

    @pytest.mark.rule("R23")
    @pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
    def test_a_wrong_url_does_not_show_its_password(self, name: str):
        with pytest.raises(ImproperlyConfigured) as raised:
            settings(**{"DEBUG": "1", name: "nosuch://me:hidden@host/0"})
        assert "hidden" not in str(raised.value)

    @pytest.mark.rule("R23")
    def test_the_token_of_the_metrics_is_taken_as_it_is(self):
        token = "a-token-that-cannot-be-guessed"
        assert settings(DEBUG="1", IDLEWATCH_METRICS_TOKEN=f" {token} ")["IDLEWATCH"]["METRICS_TOKEN"] == token
        assert "METRICS_TOKEN" not in settings(DEBUG="1", IDLEWATCH_METRICS_TOKEN="")["IDLEWATCH"]

    def test_a_misspelt_limit_is_refused(self):
        with pytest.raises(ImproperlyConfigured, match=r"IDLEWATCH_IDLE_TIMOUT is unknown; expected one of IDLEWATCH_"):
            settings(DEBUG="1", IDLEWATCH_IDLE_TIMOUT="20")


class TestSecurity:
    @pytest.mark.rule("R22")
    def test_cookies_are_bound_to_the_host_over_https_and_to_the_browser(self):
        read = settings(SECRET_KEY="x")
        assert read["SESSION_COOKIE_NAME"].startswith("__Host-")
        assert read["CSRF_COOKIE_NAME"].startswith("__Host-")
        assert read["SESSION_COOKIE_SECURE"]
        assert read["CSRF_COOKIE_SECURE"]
        assert read["SECURE_SSL_REDIRECT"]
        assert read["SESSION_EXPIRE_AT_BROWSER_CLOSE"] is True
        assert "SECURE_SSL_REDIRECT" not in settings(SECRET_KEY="x", SECURE="0")

    @pytest.mark.rule("R27")
    def test_the_content_security_policy_lets_nothing_inline_in(self):
        directives = settings(DEBUG="1")["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
        assert directives["default-src"] == ["'self'"]
        sources = [source for values in directives.values() for source in values]
        assert not {source for source in sources if source.startswith("'unsafe")}

    @pytest.mark.rule("R8")
    @pytest.mark.parametrize(
        ("parts", "warnings"),
        [
            ({"DATABASE_URL": "postgres://site.test/db", "REDIS_URL": "redis://site.test"}, []),
            # One process, which keeps the sessions in its memory.
            ({}, ["idlewatch.W034"]),
        ],
    )
    def test_a_deployment_passes_every_check(self, parts: dict[str, str], warnings: list[str]):
        environ = clean_environment(SECRET_KEY="0123456789abcdef" * 4, ALLOWED_HOSTS="site.test", **parts)
        command = [sys.executable, "manage.py", "check", "--deploy"]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert re.findall(r"\((\w+\.\w+)\)", done.stderr) == warnings


class TestCommands:
    @pytest.mark.django_db
    def test_demo_makes_its_accounts_and_can_be_run_again(self, settings: Any):
        settings.DEBUG = True
        for _ in range(2):
            output = StringIO()
            call_command(demo.Command(), stdout=output)
            assert "demo / demo" in output.getvalue()
        accounts = [authenticate(username=name, password=name) for name in ("demo", "admin")]
        assert [getattr(account, "is_superuser", None) for account in accounts] == [False, True]

    def test_demo_refuses_without_debug(self):
        with pytest.raises(CommandError, match="DEBUG is off"):
            call_command(demo.Command())

    @pytest.mark.django_db
    def test_no_migration_is_missing(self):
        call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


class TestStaticFiles:
    def test_hashed_modules_import_each_other_by_hashed_names(self, settings: Any, tmp_path: Path):
        settings.STATIC_ROOT = tmp_path
        settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "project.storage.StaticStorage"}}
        call_command("collectstatic", interactive=False, ignore_patterns=["admin"], verbosity=0)
        hashed = [path for path in tmp_path.glob("idlewatch/**/*.js") if re.search(r"\.[0-9a-f]{12}\.js$", path.name)]
        assert len(hashed) == len(list((ROOT / "static" / "idlewatch").rglob("*.js")))
        for module in hashed:
            imported = re.findall(r"""^import .*from ["'](\.[^"']+)["'];""", module.read_text(), re.MULTILINE)
            for name in imported:
                assert re.search(r"\.[0-9a-f]{12}\.js$", name), f"{module.name} imports {name}"
                assert (module.parent / name).exists()


class TestRepository:
    def test_the_locks_name_no_registry_hash_everything_and_run_what_is_tested(self):
        locked = []
        for name in ("requirements.txt", "requirements-dev.txt"):
            text = (ROOT / name).read_text()
            assert "://" not in text
            assert "--index" not in text
            pins = re.findall(r"^([a-z0-9-]+==\S+)", text, re.MULTILINE)
            assert pins == re.findall(r"^([a-z0-9-]+==\S+)[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)
            locked.append(set(pins))
        run, everything = locked
        assert run
        assert run <= everything
