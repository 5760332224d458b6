"""What the middleware adds to a request, beside Django's own and django-session-security, in one process.

`python -m tests.tools.bench.rows.middleware SECONDS`, in the environment of a run, prints the samples.
"""

from __future__ import annotations

import itertools
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings

from tests.tools.bench import goals, profiler, profiles
from tests.tools.bench.options import REPEATS
from tests.tools.bench.programs import print_profile, print_sample, run_program
from tests.tools.bench.servers import Run

if TYPE_CHECKING:
    from idlewatch.process import Process

Handler = Callable[[dict[str, Any]], None]

ROWS = ("7", "7b")
SESSIONS = 100
REQUESTS = 200
"""Of each stack in a repeat."""
WARM_UP_REQUESTS = 100
RESUMING, QUICK_RESUMING = 15.0, 7.0
"""Seconds in which the timers resume the sessions; after them the store in Redis holds nothing back."""
PROFILED_FREELY, PROFILED = 0.1, 0.4
"""Parts of that, in which requests go through one stack: without the profiler, and with it."""
SCRIPT = "redis.call('HSET', KEYS[1], 'a', ARGV[1]); redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3]); return 1"
"""About the least that a store on Redis could do."""
DJANGO = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
HERE = "tests.tools.bench.rows.middleware"
PLAIN, SESSION = goals.NO_MIDDLEWARE, goals.SESSION_LOAD
STACKS: Mapping[str, str] = {
    PLAIN: f"{HERE}.pass_on",
    SESSION: f"{HERE}.load_session",
    goals.SECURITY: "session_security.middleware.SessionSecurityMiddleware",
    goals.MEMORY: "idlewatch.middleware.IdleWatchMiddleware",
    goals.REDIS: "idlewatch.middleware.IdleWatchMiddleware",
}
OWN_STACKS = (SESSION, goals.MEMORY, goals.REDIS, goals.EVALSHA)
ADDED = (goals.SECURITY, goals.MEMORY, goals.REDIS)
OWN_PART, OWN_PART_IN = "middleware's own part", "added, view without user"
VIEWS = {OWN_PART_IN: "/bench/without-user/", "added, view with user": "/bench/with-user/"}
HEADERS = {
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64)",
    "HTTP_ACCEPT": "text/html",
    "HTTP_SEC_FETCH_MODE": "navigate",
    "HTTP_SEC_FETCH_DEST": "document",
    "SERVER_NAME": "127.0.0.1",
}


async def measure(run: Run) -> None:
    """Measure it with both stores, in one process."""
    resuming = QUICK_RESUMING if run.options.quick else RESUMING
    run_program(run, HERE, f"{resuming:g}", BENCH_KEEP_CONNECTIONS="1")


def pass_on(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a middleware that does nothing."""
    return lambda request: get_response(request)  # noqa: PLW0108 - a middleware of its own


def load_session(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a middleware that loads the session."""

    def middleware(request: Any) -> Any:
        request.session.get("anything")
        return get_response(request)

    return middleware


def main(resuming: str) -> None:
    """Print what each stack adds, and what a script in Redis takes."""
    import django

    django.setup()
    from idlewatch.process import current_process

    processes = {goals.MEMORY: current_process(), goals.REDIS: _process_on_redis()}
    handlers = {stack: _handler(middleware, processes.get(stack)) for stack, middleware in STACKS.items()}
    handlers[goals.EVALSHA] = _script()
    for call in handlers.values():
        call(dict(_environs(VIEWS[OWN_PART_IN])[0]))
    time.sleep(float(resuming))
    for figure, path in VIEWS.items():
        environs = _environs(path)
        _medians(handlers, environs, WARM_UP_REQUESTS)
        for _ in range(REPEATS):
            median = _medians(handlers, environs, REQUESTS)
            for stack in ADDED:
                print_sample(figure, stack, 0, median[stack] - median[PLAIN])
            if figure == OWN_PART_IN:
                for stack in (goals.MEMORY, goals.REDIS):
                    print_sample(OWN_PART, stack, 0, median[stack] - median[SESSION])
                print_sample(OWN_PART, goals.EVALSHA, 0, median[goals.EVALSHA])
    if profiler.permit_if_wanted():
        for figure, path in VIEWS.items():
            _profile(figure, handlers, _environs(path), float(resuming))


def _profile(figure: str, handlers: Mapping[str, Handler], environs: list[dict[str, Any]], seconds: float) -> None:
    """Print the profile of a request through each stack, one after the other."""
    stacks = [PLAIN, *ADDED]
    if figure == OWN_PART_IN:
        stacks += [SESSION, goals.EVALSHA]
    for stack in stacks:
        call = handlers[stack]
        elapsed, used = _serve(call, environs, PROFILED_FREELY * seconds)
        with profiler.sampled(f"{figure} {stack}", os.getpid()) as lines:
            _serve(call, environs, PROFILED * seconds)
        # Timers have threads of their own.
        lines = [line for line in lines if f"{_serve.__name__} (" in line]
        parts = [(figure, PLAIN)] if stack in {PLAIN, *ADDED} else []
        if figure == OWN_PART_IN and stack in OWN_STACKS:
            parts.append((OWN_PART, stack if stack == goals.EVALSHA else SESSION))
        for name, floor in parts:
            rest = {"variant": stack, "floor": floor, "total": used, "beside": {"elapsed": elapsed}}
            print_profile(profiles.of_stacks(lines, figures=[name], size=0, unit="µs", **rest))


def _serve(call: Handler, environs: list[dict[str, Any]], seconds: float) -> tuple[float, float]:
    """Serve requests for so long; return the microseconds that each took, and those of the processor."""
    began, used, count = time.perf_counter(), time.thread_time(), 0
    while time.perf_counter() - began < seconds:
        call(dict(environs[count % len(environs)]))
        count += 1
    return (time.perf_counter() - began) / count * 1e6, (time.thread_time() - used) / count * 1e6


def _process_on_redis() -> Process:
    """Return a server process, in this interpreter, whose store is in Redis."""
    from django.test import override_settings

    from idlewatch.monitor import stores
    from idlewatch.process import Process

    process = Process()
    store = {"BACKEND": "idlewatch.store.redis.RedisStore", "LOCATION": os.environ["BENCH_REDIS_URL"]}
    with override_settings(IDLEWATCH={**settings.IDLEWATCH, "STORE": store}), process.entered():
        stores.store_of(process)
    return process


def _handler(middleware: str, process: Process | None) -> Callable[[dict[str, Any]], None]:
    """Return what serves a request, with the timer of a process that it is given."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings

    from idlewatch.wsgi import watched

    with override_settings(MIDDLEWARE=[*DJANGO, middleware]):
        handler: Callable[..., Any] = WSGIHandler()
    if process is not None:
        handler = watched(handler, process)

    def require_success(status: str, headers: object) -> None:
        assert status.startswith("200"), status

    def call(environ: dict[str, Any]) -> None:
        response = handler(environ, require_success)
        assert b"".join(response) == b"ok"
        response.close()

    return call


def _environs(path: str) -> list[dict[str, Any]]:
    from django.contrib.sessions.models import Session
    from django.test import RequestFactory

    factory, environs = RequestFactory(), []
    for key in Session.objects.values_list("pk", flat=True)[:SESSIONS]:
        factory.cookies["sessionid"] = key
        environs.append(factory._base_environ(PATH_INFO=path, REQUEST_METHOD="GET", **HEADERS))
    return environs


def _medians(
    handlers: Mapping[str, Callable[..., None]], environs: list[dict[str, Any]], count: int
) -> dict[str, float]:
    """Return the median microseconds of a request through each stack; they take turns in random order."""
    spent, names = defaultdict[str, list[float]](list), list(handlers)
    for number in range(count):
        random.shuffle(names)
        for name in names:
            environ = dict(environs[number % len(environs)])
            began = time.perf_counter()
            handlers[name](environ)
            spent[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) * 1e6 for name, values in spent.items()}


def _script() -> Callable[[dict[str, Any]], None]:
    """Return what runs a script in Redis in the place of a request.

    It takes turns with the stacks: one after the other, scripts find Redis awake, and all caches warm.
    """
    import redis

    client = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"])
    digest, numbers = client.script_load(SCRIPT), itertools.count()

    def call(environ: dict[str, Any]) -> None:
        number = next(numbers)
        client.evalsha(digest, 2, f"bench:{number % SESSIONS}", "bench:due", time.time(), time.time(), number)

    return call


if __name__ == "__main__":
    main(*sys.argv[1:])
