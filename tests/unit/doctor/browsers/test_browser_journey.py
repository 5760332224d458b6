"""How the doctor judges what a browser shows, with a tab that is played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.browsers import browser_journey
from idlewatch.doctor.browsers.browser_journey import PICTURES, Journey
from idlewatch.doctor.browsers.browser_tab import BrowserFailed, Loaded
from idlewatch.doctor.findings import Finding, Outcome, Trial

OK, FAULT, WARNING, SKIPPED = Outcome.OK, Outcome.FAULT, Outcome.WARNING, Outcome.SKIPPED
REASON = "You have been signed out because of inactivity."
ADDRESS = parse_address("https://example.com/")
STAGES = ("active", "warned", "active", "warned", "ended", "gone")
"""What a tab goes through while it is waited for."""


class PlayedTab:
    """A tab of a right site, but for what a test changes. Each wait in vain brings it to its next stage."""

    path = "/login/"
    url = "https://example.com/login/"

    def __init__(self, **changes: Any) -> None:
        self.stages = list(changes.pop("stages", STAGES))
        self.has_client, self.runs, self.is_offline, self.sockets = True, True, False, 1
        self.has_dialog, self.hides, self.text, self.status = True, True, f"Please sign in. {REASON}", 200
        self.problem: list[str] = []
        self.refuses_to: str | None = None
        self.pages = 1
        self.pictures: list[str] = []
        vars(self).update(changes)
        self.problems = SimpleNamespace(found=self.problem, stop=lambda: None)

    @property
    def phase(self) -> str | None:
        return None if self.state is None else self.state["phase"]

    @property
    def state(self) -> dict[str, Any] | None:
        if not self.runs or self.stages[0] == "gone":
            return None
        return {"phase": self.stages[0], "offline": self.is_offline, "remaining": 5.0}

    @property
    def is_connected(self) -> bool:
        return self.state is not None and not self.is_offline

    @property
    def is_hidden(self) -> bool:
        return self.hides and self.stages[0] == "ended"

    def load(self, url: str) -> Loaded:
        self._act("load")
        return Loaded(self.status, "/")

    def shows(self, part: str) -> bool:
        shown = {"dialog": self.has_dialog and self.stages[0] == "warned", "overlay": self.is_hidden}
        return shown[part]

    def stay(self) -> None:
        self._act("stay")
        self._go_on()

    def until(self, condition: Callable[[], Any], within: float) -> bool:
        assert within > 0
        if not condition():
            self._go_on()
        return bool(condition())

    def save_picture(self, path: Path) -> None:
        self.pictures.append(path.name)

    def _act(self, name: str) -> None:
        if self.refuses_to == name:
            raise BrowserFailed(f"{name} failed")

    def _go_on(self) -> None:
        if len(self.stages) > 1:
            self.stages.pop(0)
            self.pages += self.stages[0] == "gone"


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[Trial, Finding]]:
    """Go the way in a tab that is played; return what is found."""

    def go(*, why_no_socket: str | None = None, **changes: Any) -> dict[Trial, Finding]:
        tab = PlayedTab(**changes)
        site: Any = SimpleNamespace(
            address=ADDRESS,
            page_path="/page/?q=1",
            why_no_socket=why_no_socket,
            note_progress=lambda _: None,
            probe=lambda **_: nullcontext(),
        )

        @contextmanager
        def launched(*_: object) -> Iterator[Any]:
            yield SimpleNamespace(version="1.0")

        monkeypatch.setattr(browser_journey, "launched", launched)
        monkeypatch.setattr(browser_journey, "open_tab", lambda *_: tab)
        findings = list(Journey(site, Path("/usr/bin/chromium"), tmp_path).findings())
        assert tab.pictures == sorted(tab.pictures)
        return {finding.trial: finding for finding in findings}

    return go


Go = Callable[..., dict[Trial, Finding]]


def test_all_is_well_on_a_right_site(go: Go):
    found = go()
    assert [*found] == [trial for trial in Trial if trial.value.startswith("browser")]
    assert {finding.outcome for finding in found.values()} == {OK}
    assert found[Trial.BROWSER_CLIENT].tried == "The client at /page/ in a browser"


@pytest.mark.parametrize(
    ("changes", "came"),
    [
        ({"refuses_to": "load"}, "load failed"),
        ({"has_client": False, "runs": False, "status": 403}, "403 at /, without the client"),
        ({"runs": False}, "is in the page, and does not run"),
        ({"is_offline": True}, "runs, and does not reach the server"),
    ],
)
def test_without_a_client_that_runs_the_way_ends(go: Go, changes: dict[str, Any], came: str):
    found = go(**changes)
    assert (found[Trial.BROWSER_CLIENT].outcome, found[Trial.BROWSER_CLIENT].came) == (FAULT, came)
    assert found[Trial.BROWSER_CLIENT].hint
    if changes.get("refuses_to") != "load":
        assert [*found] == [Trial.BROWSER, Trial.BROWSER_CLIENT, Trial.BROWSER_ERRORS]


@pytest.mark.parametrize(("why_no_socket", "outcome"), [(None, FAULT), ("404 Not Found", OK)])
def test_a_client_that_polls_is_wrong_where_sockets_are_accepted(go: Go, why_no_socket: str | None, outcome: Outcome):
    found = go(sockets=0, stages=["active", *STAGES], why_no_socket=why_no_socket)
    assert found[Trial.BROWSER_CLIENT].outcome is outcome


@pytest.mark.parametrize(
    ("problem", "why_no_socket", "outcome"),
    [
        (["GET /idlewatch/state/: 502"], None, FAULT),
        (["WebSocket connection to /ws/idlewatch/tab/ failed"], None, FAULT),
        (["WebSocket connection to /ws/idlewatch/tab/ failed"], "404 Not Found", OK),
    ],
)
def test_errors_are_faults_but_for_a_socket_that_no_one_gets(
    go: Go, problem: list[str], why_no_socket: str | None, outcome: Outcome
):
    found = go(problem=problem, why_no_socket=why_no_socket)[Trial.BROWSER_ERRORS]
    assert found.outcome is outcome
    assert (problem[0] in found.came) is (outcome is FAULT)


def test_a_session_that_stays_active_is_not_warned(go: Go):
    found = go(stages=["active"])
    outcomes = {trial: found[trial].outcome for trial in found if trial.value[8:] in {"warning", "extension", "end"}}
    assert outcomes == {
        Trial.BROWSER_WARNING: FAULT,
        Trial.BROWSER_EXTENSION: SKIPPED,
        Trial.BROWSER_END: FAULT,
    }
    assert found[Trial.BROWSER_END].came.endswith("the session is active")
    assert Trial.BROWSER_LOGIN not in found


def test_a_warning_without_a_dialog_may_be_the_sites_own(go: Go):
    found = go(has_dialog=False, stages=["active", "warned", "warned", "ended", "ended", "gone"])
    assert found[Trial.BROWSER_WARNING].outcome is WARNING
    assert found[Trial.BROWSER_EXTENSION].outcome is SKIPPED
    assert found[Trial.BROWSER_END].outcome is OK
    assert found[Trial.BROWSER_END].came.startswith("no dialog")


@pytest.mark.parametrize(
    "changes", [{"refuses_to": "stay"}, {"stages": ["active", "warned", "warned", "warned", "ended", "gone"]}]
)
def test_a_click_without_effect_is_a_fault(go: Go, changes: dict[str, Any]):
    assert go(**changes)[Trial.BROWSER_EXTENSION].outcome is FAULT


def test_content_that_stays_after_the_end_is_a_fault(go: Go):
    found = go(hides=False, stages=[*STAGES[:-1], "ended"])
    assert found[Trial.BROWSER_END].outcome is FAULT
    assert "still shown" in found[Trial.BROWSER_END].came


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"text": "Please sign in."}, FAULT),
        ({"text": "Connectez-vous. Votre session a pris fin pour cause d’inactivité."}, OK),
        ({"text": "Single sign-on", "url": "https://sso.example.org/"}, OK),
        ({"stages": [*STAGES[:-1], "ended", "ended"]}, SKIPPED),
    ],
)
def test_the_login_page_has_to_name_the_reason(go: Go, changes: dict[str, Any], outcome: Outcome):
    assert go(**changes)[Trial.BROWSER_LOGIN].outcome is outcome


def test_pictures_of_an_earlier_run_are_removed_and_no_others(go: Go, tmp_path: Path):
    for name in ("6-login.png", "7-other.png", "login.png"):
        (tmp_path / name).touch()
    go()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7-other.png", "login.png"]
    assert len(PICTURES) == 6
