"""Where a Chromium is installed, and how it is started: headless, with an empty profile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "chromium-headless-shell",
)
"""The programs that are looked for on PATH."""
APPLICATIONS = ("Google Chrome", "Chromium", "Microsoft Edge")
"""What they are called on macOS."""
PROGRAM_FILES = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
"""The environment variables that name the directories of programs on Windows."""
EXECUTABLES = (
    ("Google", "Chrome", "Application", "chrome.exe"),
    ("Chromium", "Application", "chrome.exe"),
    ("Microsoft", "Edge", "Application", "msedge.exe"),
)
FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOOKED_FOR = f"{', '.join(NAMES)} on PATH and in the usual places"


def find_chromium() -> Path | None:
    """Return the program of an installed Chromium; None if there is none."""
    on_path = (shutil.which(name) for name in NAMES)
    found = next(filter(None, on_path), None)
    return Path(found) if found else next((place for place in _places() if place.is_file()), None)


def needs_no_sandbox() -> bool:
    """Return whether the browser can't have its sandbox: it refuses to start as root with one."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _places() -> Iterator[Path]:
    yield Path("/snap/bin/chromium")
    for name in APPLICATIONS:
        yield Path("/Applications") / f"{name}.app" / "Contents" / "MacOS" / name
    for directory in filter(None, map(os.environ.get, PROGRAM_FILES)):
        for executable in EXECUTABLES:
            yield Path(directory, *executable)
