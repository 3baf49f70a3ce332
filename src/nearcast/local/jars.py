"""The jars that Spark needs for Hudi and S3: fetched once by Spark's own resolver, shared by all homes.

``python -m nearcast.local.jars`` fetches them and shows progress.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nearcast.errors import NearcastError, ServiceError

_AWS_SDK = "1.12.262"
PACKAGES = (
    "org.apache.hudi:hudi-spark3.5-bundle_2.12:1.0.2",
    "org.apache.hadoop:hadoop-aws:3.3.4",
    *(f"com.amazonaws:aws-java-sdk-{part}:{_AWS_SDK}" for part in ("core", "s3", "sts", "dynamodb", "kms")),
)
EXCLUDED = ("com.amazonaws:aws-java-sdk-bundle", "org.wildfly.openssl:wildfly-openssl")
"""hadoop-aws asks for all of AWS's SDK (281 MB); the five parts above (6.5 MB) are all that S3A calls."""
DOWNLOAD_BYTES = 119_000_000
MARKER = "complete.json"
_FREE_BYTES = 1 << 29
Progress = Callable[[int], None]


def cache_folder() -> Path:
    """Return the cache shared by all homes: NEARCAST_CACHE, else nearcast in the user's cache folder."""
    if named := os.environ.get("NEARCAST_CACHE"):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "nearcast"


def jars(cache: Path | None = None, progress: Progress = lambda done: None) -> list[Path]:
    """Return the jars' paths, fetched first (about 119 MB) when ``cache`` does not hold them all.

    Parameters
    ----------
    cache
        Where they are kept (default: `cache_folder`).
    progress
        Called with the number of bytes that are there so far, while they are fetched.

    Raises
    ------
    ServiceError
        They cannot be fetched or kept: no network, no space, no Java 17.
    """
    folder = (cache or cache_folder()) / "jars" / _version()
    if found := _complete(folder):
        return found
    with _locked(folder):
        if found := _complete(folder):  # another process fetched them while we waited
            return found
        _check_space(folder)
        resolved = resolve(folder / "ivy", progress)
        return _keep(folder, resolved)


def resolve(ivy: Path, progress: Progress) -> list[Path]:
    """Have Spark resolve PACKAGES into the folder ``ivy``; whole files of an interrupted call are used again.

    ``spark-submit --packages`` does it before it runs a class, here one that only prints a version.
    """
    from nearcast.local.java import java_home

    environment = {**os.environ, "JAVA_HOME": str(java_home())}
    log = ivy.with_name("resolve.log")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            _resolver_command(ivy), env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        )
        try:
            while process.poll() is None:
                progress(_downloaded(ivy))
                time.sleep(0.2)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    found = sorted((ivy / "jars").glob("*.jar"))
    if process.returncode != 0 or len(found) < len(PACKAGES):
        raise _failed(log)
    progress(sum(path.stat().st_size for path in found))
    return found


def _resolver_command(ivy: Path) -> list[str]:
    import importlib.util

    spec = importlib.util.find_spec("pyspark")  # not imported: that takes longer than all the rest
    if spec is None or spec.origin is None:
        raise ServiceError("PySpark is not installed.", todo="Install the project's dependencies (`make`).")
    submit = Path(spec.origin).parent / "bin" / "spark-submit"
    options = ["--master", "local[1]", "--conf", f"spark.jars.ivy={ivy}", "--packages", ",".join(PACKAGES)]
    options += ["--exclude-packages", ",".join(EXCLUDED), "--class", "org.apache.hadoop.util.VersionInfo"]
    return [str(submit), *options, "spark-internal"]


def _failed(log: Path) -> ServiceError:
    # Ivy names each file that it could not get; the first one says why as well as the last.
    reasons = re.findall(
        r"^.*(?:access error|No space|Exception).*$", log.read_text(errors="replace"), re.MULTILINE
    )
    return ServiceError(
        f"Spark's jars could not be fetched from Maven Central: {reasons[0].strip() if reasons else 'see its log'}",
        kept="Whole files that were fetched are used again by the next try.",
        todo=f"Check that https://repo1.maven.org can be reached, then run it again. Its log: {log}",
    )


def _keep(folder: Path, resolved: Sequence[Path]) -> list[Path]:
    """Move the jars to their place; the marker comes last, so that an interrupted call is seen as one."""
    kept = [folder / path.name for path in resolved]
    for path, place in zip(resolved, kept, strict=True):
        path.replace(place)
    temporary = folder / f"{MARKER}.tmp"
    temporary.write_text(json.dumps({path.name: path.stat().st_size for path in kept}, indent=1))
    temporary.replace(folder / MARKER)
    shutil.rmtree(folder / "ivy", ignore_errors=True)  # the resolver's second copy of each jar
    return kept


def _complete(folder: Path) -> list[Path]:
    """Return the jars when every file that the marker lists is there in its full size; else none."""
    try:
        sizes: dict[str, int] = json.loads((folder / MARKER).read_text())
        paths = [folder / name for name in sizes]
        whole = all(path.stat().st_size == size for path, size in zip(paths, sizes.values(), strict=True))
    except (OSError, ValueError, AttributeError):
        return []
    return paths if whole else []


def _version() -> str:
    """Return a name for this list of packages: another list is fetched anew."""
    return hashlib.sha256("\n".join((*PACKAGES, *EXCLUDED)).encode()).hexdigest()[:12]


def _downloaded(ivy: Path) -> int:
    """Return the bytes fetched so far, parts of files too."""
    total = 0
    for path in (ivy / "cache").rglob("*.jar*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # renamed from .part meanwhile
            continue
    return total


def _check_space(folder: Path) -> None:
    if (free := shutil.disk_usage(folder).free) < _FREE_BYTES:
        raise ServiceError(
            f"Only {free / 2**20:.0f} MiB are free where {folder} lies; Spark's jars need 512 MiB while fetched.",
            todo="Free space, or set NEARCAST_CACHE to a folder on another disk.",
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ServiceError(
            f"{folder} cannot be written: {error.strerror}.", todo="Set NEARCAST_CACHE to a folder of yours."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main() -> None:
    """Fetch the jars from the command line, with a bar on a terminal and a line at each tenth elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    tenths = 0

    def show(done: int) -> None:
        nonlocal tenths
        bar.update(task, completed=done)
        if not console.is_terminal and done * 10 // DOWNLOAD_BYTES > tenths:
            tenths = done * 10 // DOWNLOAD_BYTES
            console.print(f"  {done / 1e6:.0f} of about {DOWNLOAD_BYTES / 1e6:.0f} MB", highlight=False)

    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("Spark's jars", total=DOWNLOAD_BYTES)
            found = jars(progress=show)
    except NearcastError as error:
        from nearcast.output import Output

        Output().error(error)
        sys.exit(1)
    console.print(f"Spark's jars: {len(found)} files in {found[0].parent}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
