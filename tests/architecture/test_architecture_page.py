"""The architecture page is true to the tree and to the layers that import-linter checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
MAX_STEPS = 7


def test_the_diagram_shows_the_layers_in_their_order():
    (layers,) = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]
    arrows = re.findall(r'^    (\w+)(?:\["[^"]*"\])? --> (\w+)(?:\["([^"]*)"\])?$', PAGE, re.MULTILINE)
    labels = {target: label or target for _, target, label in arrows}
    chain = [arrows[0][0], *(target for _, target, _ in arrows)]
    assert [source for source, _, _ in arrows] == chain[:-1]
    assert [labels.get(node, node) for node in chain] == [layer.replace(" | ", ", ") for layer in layers]


def test_every_entry_of_the_package_is_in_the_table():
    entries = {path.stem for path in (ROOT / "idlewatch").iterdir() if not path.name.startswith(("_", "."))}
    shown = {
        name.rstrip("/")
        for row in re.findall(r"^\| (`.+?) \|", PAGE, re.MULTILINE)
        for name in re.findall("`(.+?)`", row)
    }
    # `py.typed` is a mark, and the client is linked into the package only in a wheel.
    assert shown == entries - {"py", "static"}


def test_every_module_it_names_is_there():
    client, package = ROOT / "static" / "idlewatch", ROOT / "idlewatch"
    for name in re.findall(r"`((?:\w+/)*\w+\.(?:py|js))`", PAGE):
        assert ((client if name.endswith("js") else package) / name).is_file(), name


def test_each_flow_takes_few_steps():
    flows = re.findall(r"^## (?:A|An) .+?\n\n((?:\d\. .+\n)+)", PAGE, re.MULTILINE)
    assert len(flows) == 4
    assert all(len(flow.splitlines()) <= MAX_STEPS for flow in flows)
