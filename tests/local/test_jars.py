"""Spark's jars: fetched once, found again without network, and never half."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nearcast.errors import ServiceError
from nearcast.local import jars as jars_module
from nearcast.local.jars import EXCLUDED, MARKER, Progress, cache_folder, jars

NAMES = ("hudi.jar", "hadoop-aws.jar")


class Resolver:
    """Stands in for Spark's: writes the files, counts its calls, may be cut off after the first file."""

    def __init__(self) -> None:
        self.calls = 0
        self.cut_off = False

    def __call__(self, ivy: Path, progress: Progress) -> list[Path]:
        self.calls += 1
        (ivy / "jars").mkdir(parents=True, exist_ok=True)
        for done, name in enumerate(NAMES, start=1):
            (ivy / "jars" / name).write_bytes(b"x" * 100 * done)
            progress(100 * done)
            if self.cut_off:
                raise KeyboardInterrupt
        return sorted((ivy / "jars").glob("*.jar"))


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    made = Resolver()
    monkeypatch.setattr(jars_module, "resolve", made)
    return made


def test_a_second_call_finds_them_without_resolving(tmp_path: Path, resolver: Resolver) -> None:
    seen: list[int] = []
    first = jars(tmp_path, seen.append)
    assert sorted(path.name for path in first) == sorted(NAMES)
    assert seen == [100, 200]
    assert jars(tmp_path) == first
    assert resolver.calls == 1
    assert not list(tmp_path.rglob("ivy"))


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [remove, truncate])
@pytest.mark.parametrize("victim", [*NAMES, MARKER])
def test_a_missing_or_short_file_is_noticed_and_fetched_again(
    tmp_path: Path, resolver: Resolver, damage: Callable[[Path], None], victim: str
) -> None:
    first = jars(tmp_path)
    sizes = {path.name: path.stat().st_size for path in first}
    damage(first[0].parent / victim)
    assert {path.name: path.stat().st_size for path in jars(tmp_path)} == sizes
    assert resolver.calls == 2


def test_an_interrupted_fetch_is_no_complete_one(tmp_path: Path, resolver: Resolver) -> None:
    resolver.cut_off = True
    with pytest.raises(KeyboardInterrupt):
        jars(tmp_path)
    assert list(tmp_path.rglob("ivy/jars/hudi.jar")), "what was fetched stays for the next try"
    resolver.cut_off = False
    assert len(jars(tmp_path)) == len(NAMES)


def test_another_list_of_packages_is_fetched_anew(
    tmp_path: Path, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = jars(tmp_path)
    monkeypatch.setattr(jars_module, "PACKAGES", ("org.example:other:2",))
    assert jars(tmp_path)[0].parent != first[0].parent
    assert resolver.calls == 2


def test_without_network_it_says_why_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9"  # discard: nothing listens there
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"{nowhere} -Duser.home={tmp_path} -XX:TieredStopAtLevel=1")
    with pytest.raises(ServiceError) as raised:
        jars(tmp_path / "cache")
    assert "repo1.maven.org" in raised.value.happened and "refused" in raised.value.happened
    assert "repo1.maven.org" in raised.value.todo
    assert not list(tmp_path.rglob(MARKER))


def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="cannot be written"):
        jars(tmp_path / "file")


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEARCAST_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("NEARCAST_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "nearcast"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "nearcast"


def test_the_fetched_jars_hold_what_spark_loads_and_nothing_excluded() -> None:
    wanted = {
        "org/apache/hudi/DefaultSource.class",
        "org/apache/hadoop/fs/s3a/S3AFileSystem.class",
        "com/amazonaws/services/s3/AmazonS3Client.class",
        "com/amazonaws/services/securitytoken/AWSSecurityTokenService.class",
        "com/fasterxml/jackson/dataformat/cbor/CBORFactory.class",
        "software/amazon/ion/IonReader.class",
    }
    found = jars()
    names = {name for path in found for name in zipfile.ZipFile(path).namelist() if name in wanted}
    assert names == wanted
    assert not [path for path in found if any(part.split(":")[1] in path.name for part in EXCLUDED)]
