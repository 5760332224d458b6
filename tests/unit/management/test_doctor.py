"""`manage.py idlewatch doctor`: its options, what it shows, and how it ends."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.core.management.color import color_style
from django.db import OperationalError
from websockets.sync.server import serve

from idlewatch.conf.extras import Extra
from idlewatch.doctor import examination
from idlewatch.doctor.findings import Finding, Section, Trial, fault, ok, skipped
from idlewatch.doctor.site import Site
from idlewatch.exceptions import StoreUnavailable
from idlewatch.management import doctor
from idlewatch.management.commands import idlewatch as command
from idlewatch.management.doctor_display import Display
from tests.support.serving import ROOT, clean_environment, free_port

GOOD = ok(Trial.VERSIONS, "Versions here", "any", "any")
BAD = fault(Trial.HANDSHAKE, "Handshake of a tab", "404 Not Found", "101", "The proxy passes on no upgrade.")
NOT_TRIED = skipped(Trial.TAB, "A tab", "give --user NAME", "a state frame")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing answers at the usual address."""
    monkeypatch.setattr(doctor, "USUAL_ADDRESS", f"http://127.0.0.1:{free_port()}/")


@pytest.fixture
def sites(monkeypatch: pytest.MonkeyPatch) -> list[Site]:
    """Find nothing, and remember the sites that are examined."""
    sites: list[Site] = []

    def note(site: Site) -> Iterator[Finding]:
        sites.append(site)
        yield from ()

    monkeypatch.setattr(examination, "SECTIONS", {Section.PROCESS: note})
    return sites


def find(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(examination, "SECTIONS", {Section.PROCESS: lambda _: iter(findings)})


def run(*options: str, **given: Any) -> tuple[str, str, int]:
    """Run the doctor; return what it wrote to stdout and stderr, and the exit code."""
    out, err = given.pop("stdout", io.StringIO()), given.pop("stderr", io.StringIO())
    code: Any = 0
    try:
        call_command("idlewatch", "doctor", *options, stdout=out, stderr=err, **given)
    except SystemExit as exiting:
        code = exiting.code
    return out.getvalue(), err.getvalue(), code


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value", "came"),
        [
            ("--url", "example.com", "'example.com'"),
            ("--url", "https://", "'https://'"),
            ("--url", "ftp://example.com/", "'ftp://example.com/'"),
            ("--url", "https://example.com:port/", "'https://example.com:port/'"),
            ("--url", "https://example.com:99999/", "'https://example.com:99999/'"),
            ("--url", "https://[::1/", "'https://[::1/'"),
            ("--url", "https://exa mple.com/", "'https://exa mple.com/'"),
            ("--url", "https://example.com/?token=5ecret", "'https://example.com/' with a query"),
            ("--url", "https://example.com/#here", "'https://example.com/' with a query or a fragment"),
            ("--url", "https://ann:5ecret@example.com/", "an address with a user name"),
            ("--url", "https://ann:5ecret@example.com:port/", "'example.com:port/'"),
            ("--path", "account/", "'account/'"),
            ("--path", "//example.com/", "'//example.com/'"),
            ("--path", "https://example.com/", "'https://example.com/'"),
            ("--path", "/a\nb", r"'/a\nb'"),
            ("--path", "", "''"),
            ("--idle", "0", "'0'"),
            ("--idle", "-1", "'-1'"),
            ("--idle", "nan", "'nan'"),
            ("--idle", "inf", "'inf'"),
            ("--idle", "100.1", "'100.1'"),
            ("--idle", "long", "'long'"),
            ("--browser", "", "''"),
            ("--browser", "/dev/null", "'/dev/null' is no directory"),
            ("--browser", "/dev/null/pictures", "'/dev/null/pictures' can't be made"),
            ("--chromium", "/nowhere/chromium", "'/nowhere/chromium' is no file"),
        ],
    )
    def test_a_wrong_one_is_named_with_what_came_and_what_is_expected(self, option: str, value: str, came: str):
        with pytest.raises(CommandError) as raised:
            run(f"{option}={value}")
        assert str(raised.value).startswith(f"{option}: {came}")
        assert "expected" in str(raised.value)
        assert "5ecret" not in str(raised.value)
        assert raised.value.returncode == 2

    def test_a_chromium_without_a_directory_for_pictures_is_an_error(self):
        with pytest.raises(CommandError, match="--chromium: it needs --browser") as raised:
            run("--chromium", sys.executable)
        assert raised.value.returncode == 2

    @pytest.mark.django_db
    def test_an_account_has_to_exist_and_to_be_active(self):
        User.objects.create_user("gone", is_active=False)
        for name, why in (("probe", "there is no account 'probe'"), ("gone", "the account 'gone' is not active")):
            with pytest.raises(CommandError, match=f"--user: {why}; expected") as raised:
                run("--user", name)
            assert raised.value.returncode == 2

    @pytest.mark.django_db
    def test_an_account_needs_a_backend_that_finds_it(self, settings: Any):
        User.objects.create_user("ann")
        settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.BaseBackend"]
        with pytest.raises(CommandError, match="--user: none of AUTHENTICATION_BACKENDS finds the account 'ann'"):
            run("--user", "ann")

    @pytest.mark.parametrize("options", [["--user", "probe"], ["--make-user"]])
    def test_accounts_that_cannot_be_read_keep_it_from_nothing_else(
        self, options: list[str], sites: list[Site], monkeypatch: pytest.MonkeyPatch
    ):
        def fail() -> bool:
            raise OperationalError("could not connect as idlewatch:5ecret")

        monkeypatch.setattr(User._base_manager, "exists", fail)
        run(*options)
        sites[0].__dict__["why_unreached"] = None
        assert sites[0].why_no_probe == "accounts can't be read (OperationalError)"

    @pytest.mark.django_db
    def test_all_of_them_reach_the_examination(self, sites: list[Site], tmp_path: Path):
        ann = User.objects.create_user("ann")
        program, pictures = tmp_path / "chromium", tmp_path / "new" / "pictures"
        program.touch()
        run(
            *("--url", "https://BÜCHER.example:8443/app/", "--user", "ann", "--path", "/ä?b=c", "--idle", "70"),
            *("--browser", str(pictures), "--chromium", str(program)),
        )
        (site,) = sites
        assert site.address == ("https", "xn--bcher-kva.example", 8443, "/app")
        assert (site.options.path, site.options.user, site.options.idle) == ("/%C3%A4?b=c", ann, 70.0)
        assert (site.options.pictures, site.options.chromium) == (pictures, program)
        assert pictures.is_dir()

    def test_calls_from_code_may_give_numbers_and_paths(self, sites: list[Site], tmp_path: Path):
        run(idle=70, browser=tmp_path)
        assert (sites[0].options.idle, sites[0].options.pictures) == (70.0, tmp_path)


class TestThrowawayAccount:
    @pytest.mark.django_db
    def test_is_made_for_the_run_and_removed(self, sites: list[Site], settings: Any):
        settings.DEBUG = True
        run("--make-user")
        user = sites[0].options.user
        assert user is not None
        assert user.get_username().startswith("idlewatch-doctor-")
        assert not User.objects.exists()

    @pytest.mark.django_db
    def test_is_removed_where_the_run_is_stopped(self, settings: Any, monkeypatch: pytest.MonkeyPatch):
        settings.DEBUG = True

        def wait(_: Site) -> Iterator[Finding]:
            assert User.objects.count() == 1
            signal.raise_signal(signal.SIGTERM)
            yield GOOD

        monkeypatch.setattr(examination, "SECTIONS", {Section.PROCESS: wait})
        with pytest.raises(CommandError, match="have been ended"):
            run("--make-user")
        assert not User.objects.exists()

    @pytest.mark.django_db
    def test_is_refused_in_production(self, sites: list[Site]):
        with pytest.raises(CommandError, match="--make-user: DEBUG is False; expected --user NAME") as raised:
            run("--make-user")
        assert (raised.value.returncode, sites) == (2, [])

    def test_takes_the_place_of_a_named_one(self, capsys: pytest.CaptureFixture[str]):
        with pytest.raises(SystemExit) as exiting:
            command.Command().run_from_argv(["manage.py", "idlewatch", "doctor", "--make-user", "--user", "ann"])
        assert exiting.value.code == 2
        assert "not allowed with" in capsys.readouterr().err


class TestUsualAddress:
    def test_is_none_where_nothing_answers(self, sites: list[Site]):
        run()
        assert sites[0].options.address is None

    def test_is_none_where_something_else_answers(self, sites: list[Site], monkeypatch: pytest.MonkeyPatch):
        port = free_port()
        monkeypatch.setattr(doctor, "USUAL_ADDRESS", f"http://127.0.0.1:{port}/")
        with serve(lambda _: None, "127.0.0.1", port) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            run()
            server.shutdown()
        assert sites[0].options.address is None

    def test_is_tried_once_where_the_site_answers(self, sites: list[Site], monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(Site, "reports", {"a process": None})
        run()
        assert sites[0].address.origin + "/" == doctor.USUAL_ADDRESS


class TestOutput:
    def test_has_a_heading_for_each_section_and_a_last_line(self, monkeypatch: pytest.MonkeyPatch):
        find(monkeypatch, GOOD, GOOD, BAD, NOT_TRIED)
        out, err, code = run()
        lines = out.splitlines()
        assert [each for each in lines if each and each[0].isupper() and "." not in each] == [
            *("Process", "Proxy", "Socket"),
        ]
        assert lines[-1].startswith("1 fault: handshake.")
        assert "\x1b" not in out
        assert (err, code) == ("", 1)

    def test_without_a_fault_the_command_ends_well(self, monkeypatch: pytest.MonkeyPatch):
        find(monkeypatch, GOOD, NOT_TRIED)
        out, _, code = run()
        assert out.splitlines()[-1].startswith("Nothing is wrong.")
        assert code == 0

    def test_json_is_one_object_whatever_the_site_prints(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        def print_something(_: Site) -> Iterator[Finding]:
            print("printed by the site")
            yield BAD

        monkeypatch.setattr(examination, "SECTIONS", {Section.PROXY: print_something})
        with pytest.raises(SystemExit):
            command.Command().run_from_argv(["manage.py", "idlewatch", "doctor", "--json"])
        out, err = capsys.readouterr()
        assert [each["trial"] for each in json.loads(out)["findings"]] == ["handshake"]
        assert err == "printed by the site\n"

    def test_no_text_repeats_the_cookie_of_a_probe(self, monkeypatch: pytest.MonkeyPatch):
        def repeat(site: Site) -> Iterator[Finding]:
            site.secrets.add("5ecret")
            yield fault(Trial.PAGE, "GET /5ecret/", "404 at /5ecret/", "not /5ecret/", "Look at /5ecret/.")

        monkeypatch.setattr(examination, "SECTIONS", {Section.PAGE: repeat})
        for out, _, _ in (run(), run("--json")):
            assert "404 at /(secret)/" in out
            assert "5ecret" not in out

    def test_a_terminal_gets_wrapped_lines_with_colored_outcomes(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("COLUMNS", "60")
        out, style = Terminal(), color_style(force_color=True)
        display = Display(OutputWrapper(out), OutputWrapper(io.StringIO()), style, is_json=False)
        display.show(BAD)
        display.show(NOT_TRIED)
        display.conclude([BAD], 1.0, 2)
        assert f"{style.ERROR('fault    ')}Handshake of a tab" in out.getvalue()
        assert "\nskipped  A tab" in out.getvalue()
        assert style.ERROR("1 fault: handshake.") in out.getvalue()
        assert all(len(each) < 60 + 20 for each in out.getvalue().splitlines() if "https:" not in each)
        plain = Terminal()
        run(stdout=plain, no_color=True)
        assert "\x1b" not in plain.getvalue()

    def test_progress_goes_to_a_terminal_alone_and_is_erased(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("COLUMNS", "20")

        def wait(site: Site) -> Iterator[Finding]:
            site.note_progress("Waiting for a long time, 50 s")
            yield GOOD

        monkeypatch.setattr(examination, "SECTIONS", {Section.PROCESS: wait})
        assert run()[1] == ""
        _, err, _ = run(stderr=Terminal())
        shown = err.split("\r\x1b[K")
        assert "Waiting for a long " in shown
        assert shown[-1] == ""

    def test_without_a_command_it_names_the_one_there_is(self, capsys: pytest.CaptureFixture[str]):
        with pytest.raises(SystemExit) as exiting:
            command.Command().run_from_argv(["manage.py", "idlewatch"])
        assert exiting.value.code == 2
        assert "name a command: doctor" in capsys.readouterr().err


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_ends_the_probes_and_says_so(self, number: signal.Signals, monkeypatch: pytest.MonkeyPatch):
        ended = []

        def wait(_: Site) -> Iterator[Finding]:
            try:
                yield GOOD
                signal.raise_signal(number)
                yield BAD
            finally:
                signal.raise_signal(number)
                ended.append("probe")

        monkeypatch.setattr(examination, "SECTIONS", {Section.PROCESS: wait})
        before = signal.getsignal(number)
        with pytest.raises(CommandError, match="probes that were begun have been ended") as raised:
            run()
        assert raised.value.returncode == 128 + number
        assert ended == ["probe"]
        assert signal.getsignal(number) is before

    def test_what_is_ignored_in_the_background_stays_so(self, monkeypatch: pytest.MonkeyPatch):
        def wait(_: Site) -> Iterator[Finding]:
            signal.raise_signal(signal.SIGHUP)
            yield GOOD

        monkeypatch.setattr(examination, "SECTIONS", {Section.PROCESS: wait})
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            assert run()[2] == 0
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_a_signal_while_a_finding_is_shown_ends_the_probes_too(self, monkeypatch: pytest.MonkeyPatch):
        ended = []

        def wait(_: Site) -> Iterator[Finding]:
            try:
                yield GOOD
            finally:
                ended.append("probe")

        monkeypatch.setattr(examination, "SECTIONS", {Section.PROCESS: wait})
        monkeypatch.setattr(Display, "show", lambda *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(CommandError, match="have been ended"):
            run()
        assert ended == ["probe"]

    def test_an_exception_of_a_section_is_a_fault_without_its_message_and_others_go_on(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        def fail(_: Site) -> Iterator[Finding]:
            yield GOOD
            raise RuntimeError("redis://:5ecret@localhost")

        sections = {Section.STORE: fail, Section.PROXY: lambda _: iter([BAD])}
        monkeypatch.setattr(examination, "SECTIONS", sections)
        out, _, code = run("--json")
        broken, last = json.loads(out)["findings"][1:]
        assert (broken["trial"], broken["outcome"], last["trial"]) == ("store", "fault", "handshake")
        assert broken["came"].startswith("RuntimeError")
        assert "5ecret" not in out
        assert code == 1
        with pytest.raises(RuntimeError):
            run("--traceback")

    @pytest.mark.parametrize(
        ("error", "trial"),
        [
            (OperationalError("could not connect as idlewatch:5ecret"), "database"),
            (StoreUnavailable("redis://:5ecret@localhost"), "store"),
        ],
    )
    def test_a_database_or_store_that_fails_meanwhile_is_named_as_that(
        self, error: Exception, trial: str, monkeypatch: pytest.MonkeyPatch
    ):
        def fail(_: Site) -> Iterator[Finding]:
            yield GOOD
            raise error

        monkeypatch.setattr(examination, "SECTIONS", {Section.SOCKET: fail})
        out, _, code = run("--json")
        broken = json.loads(out)["findings"][-1]
        assert (broken["trial"], broken["outcome"], code) == (trial, "fault", 1)
        assert "failed meanwhile" in broken["hint"]
        assert "5ecret" not in out

    def test_output_may_be_cut_off_by_the_command_that_reads_it(self, tmp_path: Path):
        script = (
            f"set -o pipefail; {sys.executable} manage.py idlewatch doctor --url http://127.0.0.1:{free_port()} | true"
        )
        environ = clean_environment(DEBUG="1", DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3")
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(("extra", "options"), [(Extra.DOCTOR, []), (Extra.BROWSER, ["--browser", "."])])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    extra: Extra, options: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "is_installed", lambda asked: asked is not extra)
    with pytest.raises(CommandError, match=rf'is not installed: pip install "idlewatch\[{extra.value}\]"') as raised:
        run(*options)
    assert raised.value.returncode == 2
