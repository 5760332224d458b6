"""Whatever README and docs tell people to copy is run, or at least compiled."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from django.template import engines

from tests.support import node
from tests.support.serving import ROOT, clean_environment

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SNIPPETS = {
    f"{page.relative_to(ROOT)}:{source.count(chr(10), 0, block.start()) + 1}": (block[2], dedent(block[3]))
    for page in PAGES
    for source in [page.read_text()]
    for block in BLOCK.finditer(source)
}
"""The language and the text of each, by page and line."""
PROGRAM = """
import json, sys, traceback
import django
django.setup()
for place, text in json.load(sys.stdin).items():
    try:
        exec(compile(text, place, "exec"), {"__name__": "snippet"})
    except Exception:
        traceback.print_exc()
"""


def snippets(*languages: str) -> dict[str, str]:
    return {place: text for place, (language, text) in SNIPPETS.items() if language in languages}


def test_every_snippet_is_in_a_language_that_is_checked():
    # Nothing here reads Mermaid, Jinja2, nginx, SQL and YAML; the frames of the protocol have a test of their own.
    known = {"python", "django", "html", "js", "css", "sh", "json", "mermaid", "jinja", "nginx", "sql", "yaml", ""}
    assert {language for language, _ in SNIPPETS.values()} <= known
    assert len(snippets("python")) > 8


def test_every_snippet_of_python_runs():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=ROOT,
        env=clean_environment(DJANGO_SETTINGS_MODULE="tests.support.settings"),
        input=json.dumps(snippets("python")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("place", snippets("django", "html"))
def test_every_snippet_of_a_template_compiles(place: str):
    engines["django"].from_string(SNIPPETS[place][1])


def test_every_snippet_of_a_script_or_stylesheet_compiles(tmp_path: Path):
    for number, (language, text) in enumerate(SNIPPETS.values()):
        if language in {"js", "css"}:
            (tmp_path / f"{number}.{language}").write_text(text)
    sources = sorted(tmp_path.iterdir())
    assert sources
    done = node.run("esbuild", *sources, "--log-level=warning", f"--outdir={tmp_path / 'built'}", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("place", snippets("sh"))
def test_every_snippet_of_a_shell_can_be_read(place: str):
    subprocess.run(["bash", "-n"], input=SNIPPETS[place][1], text=True, check=True)
