"""The channel layer section: a message through it to each other process."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import BaseChannelLayer, InMemoryChannelLayer, get_channel_layer

from idlewatch.core.clock import Clock
from idlewatch.doctor.findings import Finding, Trial, fault, ok, skipped
from idlewatch.doctor.phrases import counted, duration, named
from idlewatch.doctor.site import Site
from idlewatch.process import current_process
from idlewatch.runtime.roll_call import call_roll, send_to_itself

LAYER_TIMEOUT = 1.5
"""Seconds for a message to arrive: beyond that, a tab would rather poll."""
ROLL_TIMEOUT = 1.0
"""Seconds in which all processes have to answer; those that did not are asked once more."""
TRIED, EXPECTED = "A message to each process over the channel layer", "an answer from each live process"


def examine(site: Site) -> Iterator[Finding]:
    """Send a message to itself, then to all processes; no tab sees any."""
    tried, expected = f"Channel layer {DEFAULT_CHANNEL_LAYER!r}", "a message to itself arrives"
    if not site.own_store.is_shared:
        why = "not needed: the memory store has one process, which tells its tabs itself"
        yield ok(Trial.LAYER, tried, why, "one where processes share their store")
        return
    try:
        layer = get_channel_layer()
        if layer is None:
            hint = "Several processes share the store: name a layer in CHANNEL_LAYERS that reaches all of them."
            yield fault(Trial.LAYER, tried, "there is none", expected, hint)
            yield skipped(Trial.LAYER_DELIVERY, TRIED, "there is no layer", EXPECTED)
            return
        elapsed = site.run(send_to_itself(layer, current_process().clock, LAYER_TIMEOUT))
    except Exception as error:  # noqa: BLE001 - what a layer raises is its own affair, and may quote a password
        came = f"nothing within {duration(LAYER_TIMEOUT)}" if isinstance(error, TimeoutError) else _failure(error)
        hint = "Tabs in other processes are told late. See CHANNEL_LAYERS: is the server up, may this host connect?"
        yield fault(Trial.LAYER, tried, came, expected, hint)
        yield skipped(Trial.LAYER_DELIVERY, TRIED, "the layer can't be used", EXPECTED)
        return
    yield ok(Trial.LAYER, tried, f"{type(layer).__name__}, {duration(elapsed)}", expected)
    yield _delivery(site, layer)


def _failure(error: Exception) -> str:
    return f"it fails: {type(error).__name__}"


def _delivery(site: Site, layer: BaseChannelLayer) -> Finding:
    with_timer = {report.process for report in site.reports.values() if report.timer is not None}
    leased = set(site.own_store.living)
    awaited = with_timer | leased
    if not awaited:
        return skipped(Trial.LAYER_DELIVERY, TRIED, "no process answers or holds a lease", EXPECTED)
    site.note_progress("Waiting for answers over the channel layer …")
    try:
        answers = site.run(_call_all(layer, current_process().clock, awaited))
    except Exception as error:  # noqa: BLE001 - as above
        hint = "Tabs in other processes are told late. See CHANNEL_LAYERS."
        return fault(Trial.LAYER_DELIVERY, TRIED, _failure(error), EXPECTED, hint)
    missing = awaited - answers.keys()
    if missing - with_timer:
        # A process that died a moment ago has its lease for some seconds more.
        missing &= with_timer | _renewed_since(site)
    if missing and not {"CHANNEL_LAYERS", "IDLEWATCH"}.isdisjoint(site.differing_settings):
        why = "the processes that answer have other settings (see same-settings)"
        return skipped(Trial.LAYER_DELIVERY, TRIED, why, EXPECTED)
    if missing:
        return _undelivered(site, layer, missing, answers)
    if not answers:
        return skipped(Trial.LAYER_DELIVERY, TRIED, "no process is alive any more", EXPECTED)
    came = f"{counted(len(answers), 'process')} answered within {duration(max(answers.values()))}: {named(answers)}"
    return ok(Trial.LAYER_DELIVERY, TRIED, came, EXPECTED)


def _undelivered(site: Site, layer: BaseChannelLayer, missing: Collection[str], answers: Collection[str]) -> Finding:
    came = f"no answer from {named(missing)}" + (f"; {named(answers)} answered" if answers else "")
    timers = {report.process: report.timer for report in site.reports.values()}
    is_deaf = any((timer := timers.get(name)) is not None and not timer.is_listening for name in missing)
    if isinstance(layer, InMemoryChannelLayer):
        cause = (
            "Each process has a channel layer of its own (InMemoryChannelLayer): name one in Redis in CHANNEL_LAYERS"
        )
    elif is_deaf or answers:
        cause = (
            "The listener of that process has stopped, or it has another channel layer than the others: see its log, "
            "and restart it"
        )
    else:
        cause = (
            "The layer carries nothing between processes: name one Redis, database and prefix for all of them in "
            "CHANNEL_LAYERS. If they are the same, the listeners have stopped: see the logs"
        )
    hint = f"{cause}. Warnings and ends reach the tabs of other processes late."
    return fault(Trial.LAYER_DELIVERY, TRIED, came, EXPECTED, hint)


def _renewed_since(site: Site) -> set[str]:
    """Return the processes that have renewed their leases since the store was asked first."""
    before, after = site.own_store.condition, site.run(site.own_store.store.inspect())
    if before is None or after is None:
        return set()
    return {name for name, until in after.leases.items() if until != before.leases.get(name)}


async def _call_all(layer: BaseChannelLayer, clock: Clock, awaited: Collection[str]) -> dict[str, float]:
    """Ask all processes, and once more if some did not answer: a layer may lose a message without an error."""
    name, answers = current_process().name, dict[str, float]()
    for _ in range(2):
        answers |= await call_roll(layer, clock, name, set(awaited) - answers.keys(), ROLL_TIMEOUT)
        if answers.keys() >= set(awaited):
            break
    return answers
