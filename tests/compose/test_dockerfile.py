"""The Dockerfile, and what goes into the image."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.compose.compose_file import DOCKERFILE, ROOT, services

HADOLINT = Path(sys.executable).with_name("hadolint")
TEXT = DOCKERFILE.read_text()


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="hadolint's wheel is for Linux on x86_64 only",
)
def test_hadolint_finds_nothing_and_nothing_is_ignored() -> None:
    done = subprocess.run([str(HADOLINT), "--no-fail", str(DOCKERFILE)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "hadolint ignore" not in TEXT


def test_every_stage_starts_from_the_same_pinned_python_that_the_project_takes() -> None:
    bases = set(re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE))
    (base,) = bases
    version = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-bookworm", base)
    assert version
    assert version[1] in ("3.11", "3.12")
    assert '">=3.11,<3.13"' in (ROOT / "pyproject.toml").read_text()


def test_its_uv_is_the_one_of_the_lock_file() -> None:
    locked = re.search(r'^name = "uv"\nversion = "(.+)"$', (ROOT / "uv.lock").read_text(), re.MULTILINE)
    assert locked
    assert f" uv=={locked[1]}" in TEXT
    assert all("--frozen --no-dev" in line for line in TEXT.splitlines() if "uv sync" in line)


def test_it_runs_as_the_user_that_owns_the_home_in_compose() -> None:
    user = re.search(r"^USER (\d+:\d+)$", TEXT, re.MULTILINE)
    assert user
    own = {item["user"] for item in services().values() if item["image"].startswith("nearcast:")}
    assert own == {user[1]}
    uid, gid = user[1].split(":")
    assert f"--uid {uid} --gid {gid}" in TEXT
    home = services()["gateway"]["environment"]["NEARCAST_HOME"]
    assert f"--owner=nearcast --group=nearcast --mode=700 {home}" in TEXT
    assert services()["gateway"]["volumes"] == [f"home:{home}"]


def test_the_image_has_all_that_the_package_is_built_from_and_no_secret() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    built_from = {project["project"]["readme"], *project["project"]["license-files"], *wheel["force-include"]}
    built_from |= {Path(package).parts[0] for package in wheel["packages"]}
    # `nearcast deploy` reads the templates from the checkout, people load the bundled prices.
    assert allowed == built_from | {"pyproject.toml", "uv.lock", "infrastructure", "data"}
