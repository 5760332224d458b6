"""What exists once in a server process hangs on its `Process`, and every hop to a thread goes by one function."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.test_layers import MODULES, imports

KEEPERS = {
    "Condition", "Event", "Lock", "Queue", "RLock", "ThreadPoolExecutor", "WeakKeyDictionary", "WeakSet",
    "WeakValueDictionary", "defaultdict", "deque", "dict", "list", "set",
}  # fmt: skip
"""What is made empty, and filled later."""
REGISTRIES = {
    ("core/reducer.py", "_EFFECTS"),
    ("decorators.py", "marked"),
    ("http/sign_in.py", "after_sign_in"),
    ("runtime/timer.py", "SWEEPS"),
}
"""Filled when the code is loaded, as registries of Django are, and the same in every process."""
OF_THE_INTERPRETER = {("signals/dispatcher.py", "_dispatchers"), ("wsgi.py", "_timers")}
"""Weak references to the parts of all processes, for what happens once in the interpreter: its exit, a fork."""
NEVER_FILLED = {("core/activity.py", "NOTHING")}
"""Mappings by their type, which are read alone; a proxy of one can't be encoded."""
DEFAULT = "process/process.py"
"""Where the default process is kept, which has to be somewhere."""
HOPS = {
    "asgiref.sync.sync_to_async",
    "channels.db.database_sync_to_async",
    "asyncio.to_thread",
    "concurrent.futures.ThreadPoolExecutor",
}


def is_keeper(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        made = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return made in KEEPERS and not value.args
    empty = isinstance(value, ast.List | ast.Set) and not value.elts
    return empty or (isinstance(value, ast.Dict) and not value.keys)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {DEFAULT}))
def test_no_module_keeps_what_a_process_has_once(module: str) -> None:
    for node in MODULES[module].body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_keeper(node.value):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name = getattr(target, "id", "")
            known = (module, name) in REGISTRIES | OF_THE_INTERPRETER | NEVER_FILLED
            assert name == "__all__" or known, f"{module} keeps {name}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - {DEFAULT}))
def test_no_function_sets_a_global(module: str) -> None:
    assert not any(isinstance(node, ast.Global) for node in ast.walk(MODULES[module]))


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"process/threads.py"}))
def test_every_hop_to_a_thread_goes_by_one_function(module: str) -> None:
    used = {f"asyncio.{node.attr}" for node in ast.walk(MODULES[module]) if isinstance(node, ast.Attribute)}
    assert not HOPS & (set(imports(module)) | used)


WAITING = {"core/clock.py", "management/commands/runtimer.py", "store/redis/client.py"}
"""The clock, what has no process yet, and the store's pause of milliseconds between two tries of a write."""


@pytest.mark.parametrize("module", sorted(set(MODULES) - WAITING))
def test_every_wait_goes_by_the_clock_of_the_process(module: str) -> None:
    """`asyncio.sleep(0)` is allowed: it waits for nothing."""
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = getattr(node.func.value, "id", "")
            waits = owner == "asyncio" and node.func.attr in {"timeout", "wait_for", "sleep"}
            assert not waits or ast.unparse(node) == "asyncio.sleep(0)", f"{module}:{node.lineno}"
