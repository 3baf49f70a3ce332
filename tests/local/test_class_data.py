"""The archive of Spark's classes: asked for only when it is there, and never half."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nearcast.errors import ServiceError
from nearcast.local import class_data


def test_without_an_archive_java_is_asked_for_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert class_data.jvm_options() == ""
    class_data.archive().parent.mkdir()
    class_data.archive().touch()
    assert class_data.jvm_options() == f"-XX:SharedArchiveFile={class_data.archive()}"
    monkeypatch.setattr(class_data, "jars", lambda: [tmp_path / "another.jar"])
    assert class_data.jvm_options() == ""


def test_a_java_that_dies_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(command: list[str], env: dict[str, str], **_: Any) -> None:
        Path(env[class_data.PARTIAL]).write_bytes(b"half")
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", die)
    with pytest.raises(ServiceError, match="wrote no archive"):
        class_data.ensure_archive()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_java_of_the_wheel_is_told_to_write_its_own_archive_first_and_any_other_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that the JVM looks for by itself is lib/server/classes.jsa of its home (JEP 310)."""
    ran: list[list[str]] = []
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    of_the_wheel, of_the_system = tmp_path / "environment" / "java", tmp_path / "usr" / "java"
    with (tmp_path / "log").open("wb") as log:
        class_data._ensure_base(of_the_system, log)
        assert ran == []
        class_data._ensure_base(of_the_wheel, log)
        assert ran == [[str(of_the_wheel / "bin" / "java"), "-Xshare:dump"]]
        (of_the_wheel / "lib" / "server").mkdir(parents=True)
        (of_the_wheel / "lib" / "server" / "classes.jsa").touch()
        class_data._ensure_base(of_the_wheel, log)
        assert len(ran) == 1
