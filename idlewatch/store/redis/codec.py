"""The row of a session in Redis: numbers that the scripts read, the session key, and facts that only Python reads."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import ceil, isfinite
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple, replace

from idlewatch.core.activity import Activity
from idlewatch.core.policy import UNWARNED, Phase, Policy, Shown, Verdict
from idlewatch.store.listing import GROUPS, group_of
from idlewatch.store.transitions import first_check_at
from idlewatch.store.values import Due, Sample, SessionKey, Watched

HEAD = struct.Struct("<12d4BH")
"""As `FORMAT` in `scripts/row.lua`."""
MOMENTS = struct.Struct("<2d")
"""Two of the moments in it: `version` and `active`, then `next_at` and `idle`."""
SAMPLE = struct.Struct("<4d")
"""As in `scripts/sample.lua`."""
TEXT = struct.Struct(">BH")
TEXT_OF_16_BITS = 0xDA
"""How MessagePack begins a text whose length has two bytes: Redis can't read its type for bytes."""
NO_MOMENT = -1.0
"""Stands for a moment that never comes, which has to be a finite number here."""
NO_LIMIT = 1e15
"""Epoch seconds that stand for a limit that is not set."""
MAX_LIFE = 315_360_000.0
"""Seconds that a session is kept at most, by whatever limits: Redis refuses numbers of too many digits."""
MAX_POLICIES = 1000
"""Policies of which the encoded form is kept: a project has a few, and most sessions share them."""
ROW_RETENTION = 86_400.0
"""Seconds for which a row outlives its session, so that an end can be sent and recorded after a long outage."""


class _Policy(Policy, frozen=True, array_like=True):
    """A policy without the names of its fields, which would be half of the row."""


class _Activity(Activity, frozen=True, array_like=True):
    """Facts without the names of their fields."""


class _Facts(Struct, array_like=True):
    user: str
    policy: Raw
    activity: _Activity
    shown: Shown


_ENDED = Phase.ENDED
_GROUP_NUMBERS = {group: number for number, group in enumerate(GROUPS, 1)}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Facts).decode
_decode_policy = msgspec.msgpack.Decoder(_Policy).decode


@lru_cache(MAX_POLICIES)
def _encoded(policy: Policy) -> Raw:
    return Raw(_encode([_short(value) for value in astuple(policy)]))


@lru_cache(MAX_POLICIES)
def _decoded(policy: bytes) -> Policy:
    return Policy(*astuple(_decode_policy(policy)))


class Head(NamedTuple):
    """The numbers of a row."""

    version: float
    active: float
    next_at: float
    """When what its tabs are to show changes, if nothing happens; `NO_MOMENT` once they were told of the end."""
    idle: float
    """The idle limit, where activity moves nothing but `active` and `next_at`; `NO_MOMENT` where it moves more."""
    cap: float
    """When the absolute limit ends it."""
    warn: float
    """Seconds of warning before the end."""
    lease: float = 0.0
    """Until when its push is claimed."""
    claimed: float = 0.0
    """The version that was claimed."""
    settled: float = 0.0
    """The version whose push is to be confirmed; 0: none."""
    ttl: float = ROW_RETENTION
    """Seconds for which the row is kept after its last change."""
    check_at: float = 0.0
    """When it is to be checked next."""
    mark: float = 0.0
    """Of the latest write: a random number, by which one that is asked again is known."""
    ended: int = 0
    """1 or 0, as `recorded` and `doubted`."""
    recorded: int = 0
    doubted: int = 0
    group: int = 0
    """The number of its group: the index in `GROUPS`, counted from 1; 0 once it has ended."""
    key_size: int = 0


def row_of(
    watched: Watched, now: float, mark: float = 0.0, verdict: Verdict | None = None, *, is_new: bool = True
) -> tuple[bytes, float]:
    """Return the row of a session as it is at `now`, and its deadline: see `listing.deadline_of`.

    `verdict`: that at `now`, if the caller knows it. `is_new`: otherwise it takes the place of one that says when the
    session is to be checked.
    """
    verdict, key = verdict or watched.verdict(now), _key_of(watched)
    check_at = first_check_at(watched, now) if is_new else 0.0
    return _packed(watched, _numbers(watched, verdict, now, len(key), check_at, mark=mark), key), verdict.ends_at


def opening_of(watched: Watched, now: float) -> tuple[object, ...]:
    """Return what `scripts/open.lua` takes of a session: its id, its row, and its places on the lists."""
    verdict, key = watched.verdict(now), _key_of(watched)
    check_at = first_check_at(watched, now)
    head = Head(*_numbers(watched, verdict, now, len(key), check_at, claimed=watched.version))
    row = _packed(watched, head, key)
    return (
        watched.id,
        Raw(TEXT.pack(TEXT_OF_16_BITS, len(row)) + row),
        ceil(head.ttl * 1000),
        head.next_at,
        head.group,
        verdict.ends_at,
        head.check_at,
    )


_SETTLED, _TTL, _DOUBTED, _GROUP, _KEY_SIZE = map(
    Head._fields.index, ("settled", "ttl", "doubted", "group", "key_size")
)


def _key_of(watched: Watched) -> bytes:
    return (watched.key or "").encode()


def _numbers(
    watched: Watched,
    verdict: Verdict,
    now: float,
    key_size: int,
    check_at: float,
    *,
    mark: float = 0.0,
    claimed: float = 0.0,
) -> tuple[Any, ...]:
    """Return what `Head` has, without the object: most rows are written, and not looked at."""
    policy, activity = watched.policy, watched.activity
    shown = verdict.shown
    next_at = now if shown != watched.shown else verdict.next_at
    ends_in = verdict.ends_at - now
    if ends_in < 0.0 or shown.phase is _ENDED:
        ends_in = 0.0
    absolute = policy.absolute_timeout
    group = group_of(watched)
    return (
        watched.version,
        activity.active,
        NO_MOMENT if next_at is None else next_at,
        policy.idle_timeout if _is_plain(watched, shown) else NO_MOMENT,
        NO_LIMIT if absolute is None else activity.logged_in_at + absolute,
        policy.warn_before,
        0.0,
        claimed,
        0.0,
        min(max(ends_in, policy.idle_timeout), MAX_LIFE) + ROW_RETENTION,
        check_at,
        mark,
        int(activity.ended is not None),
        0,
        0,
        0 if group is None else _GROUP_NUMBERS[group],
        key_size,
    )


def _packed(watched: Watched, numbers: tuple[Any, ...], key: bytes) -> bytes:
    facts = watched.user, _encoded(watched.policy), _short_facts(watched.activity), watched.shown
    return HEAD.pack(*numbers) + key + _encode(facts)


def _short_facts(activity: Activity) -> tuple[Any, ...]:
    """Return facts as a row has them: those that most sessions have none of in their shortest form."""
    logged_in_at, _, holds, held_from, held_until, held_since, held_before, *others = astuple(activity)
    # The head says when its user last acted.
    return (_short(logged_in_at), 0, holds, held_from, held_until or 0, held_since, held_before or 0, *others)


def _short(value: Any) -> Any:  # noqa: ANN401 - whatever a policy has
    """Return a number in its shortest form, and any other value as it is: most limits are whole seconds."""
    return int(value) if type(value) is float and value.is_integer() and abs(value) < 2**53 else value


def _is_plain(watched: Watched, shown: Shown) -> bool:
    """Return whether activity moves nothing but the next moment: until that moment, at least."""
    activity = watched.activity
    # By the clock, too: what is warned or over and not settled yet must let in nothing that came a moment before.
    return activity.held_since is None and activity.closed_at is None and watched.shown == shown == UNWARNED


def watched_of(watch_id: str, row: bytes) -> Watched:
    """Return the session that a row describes.

    Raises:
        struct.error, ValueError, msgspec.MsgspecError: it can't be read.
    """
    return _watched(watch_id, row, _numbers_in(row))


def is_plain(row: bytes, now: float) -> bool:
    """Return whether activity at `now` moves nothing but the next moment of the session that a row describes."""
    next_at, idle = MOMENTS.unpack_from(row, MOMENTS.size)
    return bool(idle >= 0 and now < next_at)


def sample_of(packed: bytes) -> Sample:
    """Return the sample that `scripts/sample.lua` took."""
    at, active, warned, ended = SAMPLE.unpack(packed)
    return Sample(at, int(active), int(warned), int(ended))


def claimed_of(due: Due, watch_id: str, row: bytes) -> Watched:
    """Return a session as the claimant of one kind is to see it; see `Watched.unfinished`."""
    numbers = _numbers_in(row)
    is_unfinished = numbers[_SETTLED] > 0 if due is Due.PUSH else due is Due.CHECK and numbers[_DOUBTED] > 0
    watched = _watched(watch_id, row, numbers)
    return replace(watched, unfinished=True) if is_unfinished else watched


def _numbers_in(row: bytes) -> tuple[Any, ...]:
    """Return what `Head` has, where `numbers` in `scripts/row.lua` would read it."""
    numbers = HEAD.unpack_from(row)
    end_of_key = HEAD.size + numbers[_KEY_SIZE]
    if not (isfinite(sum(numbers)) and numbers[_TTL] > 0 and numbers[_GROUP] <= len(GROUPS) and end_of_key <= len(row)):
        raise ValueError("The numbers of a row are none that a store writes.")
    return numbers


def _watched(watch_id: str, row: bytes, numbers: tuple[Any, ...]) -> Watched:
    version, active = numbers[:2]
    end_of_key = HEAD.size + numbers[_KEY_SIZE]
    facts = _decode(row[end_of_key:])
    logged_in_at, _, *others = astuple(facts.activity)
    return Watched(
        id=watch_id,
        user=facts.user,
        key=SessionKey(row[HEAD.size : end_of_key].decode()) or None,
        policy=_decoded(bytes(facts.policy)),
        activity=Activity(logged_in_at, active, *others),
        version=int(version),
        shown=facts.shown,
    )


def pairs(found: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Return ids and rows, which a script returns in turns, as pairs."""
    return zip(found[::2], found[1::2], strict=True)
