"""What is shipped for browsers and for bundlers is what the modules say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET
from msgspec.structs import fields
from playwright.sync_api import Browser

from idlewatch.core.activity import Reason
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import StateFrame
from tests.support import node
from tests.support.browsing import sign_in, until
from tests.support.serving import ROOT, Server, demo

CLIENT = ROOT / "static" / "idlewatch"
BUILT = CLIENT / "idlewatch.min.js"
STYLES = CLIENT / "idlewatch.min.css"
DRAFTS = CLIENT / "drafts.min.js"
"""What a page loads that has something for drafts."""
LIVE = (CLIENT / "live.min.js", CLIENT / "live.min.css")
"""What the operators' live page loads beside it."""
EXAMPLES = ROOT / "docs" / "examples"
PACKAGE = json.loads((CLIENT / "package.json").read_text())
WORKSPACE = json.loads((ROOT / "package.json").read_text())
TYPES = (CLIENT / "index.d.ts").read_text()
LIMIT = 12_000
"""Bytes of script and styles together, as Chromium gets them from the project: by brotli."""


EXAMPLE_NAMES = ("plain", "htmx", "react")
WRONG_USES = {
    "extend": ("window.idlewatch.extend();", "possibly 'undefined'"),
    "hold": ("window.idlewatch?.hold();", "Expected 1 arguments"),
    "event": ("document.addEventListener('idlewatch:ended', (event) => event.detail.why);", "'why' does not exist"),
    "start": ("import { start } from 'idlewatch'; start();  start().hold('x');", "possibly 'null'"),
    "state": ("window.idlewatch!.state!.remaining = 5;", "read-only"),
}
"""What a page might write, and what TypeScript reports of it."""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What TypeScript reports of the examples and of the wrong uses, all compiled at once."""
    directory = tmp_path_factory.mktemp("types")
    packages = directory / "node_modules"
    packages.mkdir()
    for package in node.packages().iterdir():
        (packages / package.name).symlink_to(package)
    (packages / "idlewatch").symlink_to(CLIENT)
    files = []
    for name in EXAMPLE_NAMES:
        example = shutil.copytree(EXAMPLES / name, directory / name)
        scripts = [path for path in example.iterdir() if path.suffix in {".js", ".ts", ".tsx"}]
        assert scripts, name
        files += scripts
    for name, (code, _) in WRONG_USES.items():
        files.append(directory / f"wrong_{name}.ts")
        files[-1].write_text(code)
    options = {"extends": str(ROOT / "tsconfig.json"), "compilerOptions": {"types": ["idlewatch"]}}
    config = directory / "tsconfig.json"
    config.write_text(json.dumps(options | {"files": [str(file) for file in files], "include": []}))
    return node.run("tsc", "-p", config, "--pretty", "false", cwd=directory).stdout.splitlines()


class TestBuilt:
    def test_it_is_what_the_modules_give(self, tmp_path: Path):
        subprocess.run([ROOT / "scripts" / "build-client", tmp_path], check=True)
        for built in (BUILT, STYLES, DRAFTS, *LIVE):
            again = tmp_path / built.name
            assert built.read_bytes() == again.read_bytes(), f"static/idlewatch/{built.name} is old: run `make client`"

    @pytest.mark.rule("R27")
    @pytest.mark.parametrize("built", [BUILT, DRAFTS, LIVE[0]], ids=lambda path: path.name)
    def test_it_is_one_module_that_names_no_other_and_needs_no_more_than_the_strict_policy(self, built: Path):
        # Hashed storage of static files looks for these, and leaves what has none of them as it is.
        assert not re.search(r"\b(import\b(?!\(\w)|from\b\s*[\"']|require\b|sourceMappingURL\b)", built.read_text())
        assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML", built.read_text())


class TestPackage:
    def test_it_has_the_version_of_the_app(self):
        assert PACKAGE["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    def test_what_it_names_is_there(self):
        entry = PACKAGE["exports"]["."]
        for name in (*entry.values(), PACKAGE["exports"]["./idlewatch.css"], *PACKAGE["sideEffects"]):
            assert (CLIENT / name).is_file(), name

    def test_it_is_installed_from_its_directory_and_bundled(self, tmp_path: Path):
        installed = shutil.copytree(CLIENT, tmp_path / "site-packages" / "idlewatch" / "static" / "idlewatch")
        site = tmp_path / "site"
        site.mkdir()
        done = node.run(node.NPM, "install", "--no-package-lock", "--no-audit", "--no-fund", installed, cwd=site)
        assert done.returncode == 0, done.stderr
        (site / "app.js").write_text('import { start } from "idlewatch";\nstart()?.hold("Work");\n')
        done = node.run("esbuild", "app.js", "--bundle", "--format=esm", "--outfile=out.js", cwd=site)
        assert done.returncode == 0, done.stderr
        assert "class PageView" in (site / "out.js").read_text() or "PageView = class" in (site / "out.js").read_text()

    def test_a_bundle_that_starts_nothing_carries_nothing(self, tmp_path: Path):
        (tmp_path / "app.js").write_text(
            f'import {{ start }} from "{CLIENT / "index.js"}";\nconsole.log("no watch");\n'
        )
        done = node.run("esbuild", "app.js", "--bundle", "--minify", "--format=esm", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout) < 200, done.stdout

    def test_importing_it_starts_nothing(self, tmp_path: Path):
        # Without a document, starting would fail.
        (tmp_path / "app.mjs").write_text(
            f'import {{ start }} from "{CLIENT / "index.js"}";\nconsole.log(typeof start);'
        )
        assert node.run(tmp_path / "app.mjs", cwd=tmp_path).stdout == "function\n"


class TestWorkspace:
    """The package.json in the root, by which the client is built and tested."""

    def test_versions_are_exact(self):
        for name, version in WORKSPACE["devDependencies"].items():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version), name

    def test_the_lock_has_a_hash_for_each_package_and_names_no_registry(self):
        text = (ROOT / "package-lock.json").read_text()
        assert "://" not in text
        assert "resolved" not in text
        root, *packages = json.loads(text)["packages"].items()
        assert root[1]["devDependencies"] == WORKSPACE["devDependencies"]
        for name, package in packages:
            assert package["integrity"].startswith("sha512-"), name


class TestTypes:
    def test_the_state_has_the_fields_of_the_protocol(self):
        [written] = re.findall(r"export interface State \{(.*?)\n\}", TYPES, re.DOTALL)
        declared = {
            name: (bool(optional), kind)
            for name, optional, kind in re.findall(r"^  readonly (\w+)(\??): (.+);$", written, re.MULTILINE)
        }
        assert declared.pop("type") == (False, '"state"')
        assert declared.pop("offline") == declared.pop("hidden") == (False, "boolean")
        assert declared.keys() == {field.name for field in fields(StateFrame)}
        plain = {
            "float": "number",
            "int": "number",
            "bool": "boolean",
            "Phase": "Phase",
            "Reason | None": "Reason | null",
        }
        for field in fields(StateFrame):
            optional, kind = declared[field.name]
            assert optional == (field.default is UNSET), field.name
            written_as = StateFrame.__annotations__[field.name]
            if written_as in plain:
                assert kind == plain[written_as], field.name

    @pytest.mark.parametrize(("name", "enum"), [("Phase", Phase), ("Reason", Reason)])
    def test_names_are_the_server_s(self, name: str, enum: type[Phase | Reason]):
        [written] = re.findall(rf"export type {name} = (.+);", TYPES)
        assert set(json.loads(f"[{written.replace(' | ', ',')}]")) == set(enum)

    @pytest.mark.parametrize("name", WRONG_USES)
    def test_wrong_use_is_found(self, name: str, complaints: list[str]):
        [complaint] = [line for line in complaints if line.startswith(f"wrong_{name}.ts")]
        assert WRONG_USES[name][1] in complaint

    def test_the_examples_keep_them(self, complaints: list[str]):
        assert [line for line in complaints if not line.startswith("wrong_")] == []


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo(tmp_path_factory.mktemp("deployed"), DEBUG="0") as server:
        yield server


@pytest.mark.server
@pytest.mark.browser
class TestTransfer:
    def test_a_page_loads_one_script_and_one_stylesheet_under_the_limit(
        self, browser: Browser, deployed: Server, capsys: pytest.CaptureFixture[str]
    ):
        context = browser.new_context()
        page = context.new_page()
        sign_in(page, deployed.url("/accounts/login/?next=/healthz"))
        page.goto(deployed.url("/"))
        until(page, "window.idlewatch?.state")
        sizes = dict(
            page.evaluate(
                "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/static/idlewatch/'))"
                ".map(({ name, encodedBodySize }) => [name.split('/').pop(), encodedBodySize])"
            )
        )
        context.close()
        with capsys.disabled():
            print(f"\nThe client, compressed: {sum(sizes.values())} bytes = {sizes}")
        assert sorted(re.sub(r"\.[0-9a-f]{12}\.", ".", name) for name in sizes) == [STYLES.name, BUILT.name]
        assert sum(sizes.values()) < LIMIT
