from msgspec.structs import replace

from idlewatch.core.policy import Policy
from idlewatch.monitor.last_seen import LastSeen
from idlewatch.store.values import Watched
from tests.support.facts import signed_in

SESSION = Watched(id="w1", user="7", policy=Policy(), activity=signed_in(1000.0))


def test_the_latest_activity_is_known_whatever_comes_later():
    seen = LastSeen()
    seen.note(SESSION)
    seen.note(replace(SESSION, activity=signed_in(500.0)))
    seen.note(None)
    assert (seen.at("w1"), seen.at("w2")) == (1000.0, 0.0)


def test_what_the_records_have_by_now_is_forgotten_but_for_sessions_with_a_tab():
    seen = LastSeen()
    for watch_id in ("w1", "w2"):
        seen.note(replace(SESSION, id=watch_id))
    seen.forget(1100.0, keep={"w2"})
    assert seen.watch_ids() == ["w1", "w2"]
    seen.forget(1200.0, keep={"w2"})
    assert seen.watch_ids() == ["w2"]
