"""The rules of the architecture that import-linter can't express."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "idlewatch"
MODULES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
CORE = [name for name in MODULES if name.startswith("core/") and name != "core/clock.py"] + ["exceptions.py"]
CLOCKLESS = [
    *CORE,
    # The pause after a failure of Redis is no time of a session.
    *(name for name in MODULES if name.startswith("store/") and name != "store/redis/breaker.py"),
]


def imports(module: str) -> Iterator[str]:
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def knowing(package: str) -> set[str]:
    return {module for module in MODULES if any(name.split(".")[0] == package for name in imports(module))}


def users_of(name: str) -> set[str]:
    """Return the modules that use an attribute by its name, or by the same word as a string."""
    used = set()
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            by_name = isinstance(node, ast.Attribute) and node.attr == name
            if by_name or (isinstance(node, ast.Constant) and node.value == name):
                used.add(module)
    return used


@pytest.mark.parametrize("module", CORE)
def test_the_core_knows_the_standard_library_msgspec_and_itself(module: str) -> None:
    core = ("idlewatch.core", "idlewatch.exceptions")
    for name in imports(module):
        root = name.split(".")[0]
        assert root in sys.stdlib_module_names or root == "msgspec" or name.startswith(core), name


@pytest.mark.parametrize("module", CLOCKLESS)
def test_the_core_and_the_stores_are_told_the_time(module: str) -> None:
    assert not {"time", "datetime", "idlewatch.core.clock"} & {
        part for name in imports(module) for part in (name, name.split(".")[0], name.rpartition(".")[0])
    }


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("store/")])
def test_a_store_knows_the_core_alone(module: str) -> None:
    # Beside the core, the metrics, which import nothing above them.
    core = ("idlewatch.core", "idlewatch.exceptions", "idlewatch.store", "idlewatch.metrics")
    assert all(name.startswith(core) for name in imports(module) if name.split(".")[0] == "idlewatch")
    assert not {"django", "channels", "asgiref"} & {name.split(".")[0] for name in imports(module)}


def test_only_the_redis_store_knows_redis() -> None:
    assert all(module.startswith("store/redis/") for module in knowing("redis"))
    assert knowing("channels_redis") == set()


@pytest.mark.parametrize(
    ("package", "modules"),
    [
        ("autobahn", {"consumers/base.py"}),
        ("cryptography", {"drafts/cipher.py"}),
        ("daphne", set()),
        ("prometheus_client", {"metrics.py", "ops/exposition.py", "ops/metrics_server.py"}),
        ("twisted", {"runtime/daphne.py"}),
        ("ua_parser", {"http/user_agents.py"}),
    ],
)
def test_a_package_of_an_extra_is_imported_in_few_places(package: str, modules: set[str]) -> None:
    assert knowing(package) == modules


def test_only_the_publisher_notices_and_the_roll_call_publish() -> None:
    assert users_of("group_send") <= {"runtime/publisher.py", "notify.py", "runtime/roll_call.py"}


def test_only_conf_reads_the_setting() -> None:
    reading = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr == "IDLEWATCH")
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "getattr"
            and any(isinstance(arg, ast.Constant) and arg.value == "IDLEWATCH" for arg in node.args)
        )
    }
    assert reading == {"conf/settings.py"}


def test_facts_change_in_one_place() -> None:
    """Adapters pass events to the store; only the reducer changes facts."""
    assert {
        module for module in MODULES if any(name == "idlewatch.core.reducer.applied" for name in imports(module))
    } == {
        "monitor/write_behind.py",
        "store/transitions.py",
    }
