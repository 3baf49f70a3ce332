"""A warm Spark session that runs Glue job scripts, one after the other.

Reads a JSON request a line from standard input ({"script", "argv", "log"}), answers with one
({"state", "error"}). The script sees what it would see on Glue: its arguments in sys.argv, a session from
``SparkSession.builder.getOrCreate()``, and AWS through boto3 and ``s3://`` paths.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import shutil
import signal
import sys
import threading
import time
import traceback
from datetime import date
from pathlib import Path
from typing import IO, Any

WATCH_S = 0.2
JVM_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC"
FIXED_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "1g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # Small commits: planning and code generation cost more than the work (docs/measurements.md).
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.session.timeZone": "UTC",
    # What `--datalake-formats hudi` and the job's --conf give on Glue.
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.kryo.registrator": "org.apache.spark.HoodieSparkKryoRegistrar",
    "spark.sql.extensions": "org.apache.spark.sql.hudi.HoodieSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.hudi.catalog.HoodieCatalog",
    "spark.sql.hive.convertMetastoreParquet": "false",
    # s3:// paths, as on Glue, through S3A to the gateway.
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
    "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    "spark.hadoop.fs.s3a.directory.marker.retention": "keep",
}


def classpath(added: list[Path], provided: Path) -> str:
    """Return the class path of ``added`` without the artifacts that Spark brings in its own version.

    The added jars come first on the class path: an older Jackson among them would break Spark.
    """

    def artifact(name: str) -> str:
        return re.sub(r"-\d[\w.-]*$", "", name)

    own = {artifact(jar.stem) for jar in provided.glob("*.jar")}
    # Ivy names its files group_artifact-version.jar.
    return os.pathsep.join(str(jar) for jar in added if artifact(jar.stem.partition("_")[2]) not in own)


def session(home: Path) -> Any:
    """Return a Spark session on two threads, with Hudi, whose ``s3://`` is the gateway's."""
    import pyspark
    from pyspark.sql import SparkSession

    from nearcast.local.class_data import jvm_options
    from nearcast.local.jars import jars
    from nearcast.local.java import java_home

    os.environ["JAVA_HOME"] = str(java_home())
    provided = Path(pyspark.__file__).parent / "jars"
    scratch = home / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    builder = SparkSession.builder.master("local[2]").appName("nearcast")
    for name, value in FIXED_SETTINGS.items():
        builder = builder.config(name, value)
    builder = (
        builder.config("spark.driver.extraClassPath", classpath(jars(), provided))
        .config(
            "spark.driver.extraJavaOptions", f'{JVM_OPTIONS} {jvm_options()} "-Djava.io.tmpdir={scratch}"'
        )
        .config("spark.local.dir", str(scratch))
        .config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
        .config("spark.hadoop.fs.s3a.endpoint", os.environ["AWS_ENDPOINT_URL"])
        .config("spark.hadoop.fs.s3a.endpoint.region", os.environ["AWS_DEFAULT_REGION"])
        .config("spark.hadoop.fs.s3a.access.key", os.environ["AWS_ACCESS_KEY_ID"])
        .config("spark.hadoop.fs.s3a.secret.key", os.environ["AWS_SECRET_ACCESS_KEY"])
    )
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def warm_up(spark: Any, home: Path) -> None:
    """Insert and update a row of a scratch Hudi table, so that the first real commits find warm classes.

    A first update takes about 5 s in a fresh JVM, and 1 s after this.
    """
    from nearcast.lake import hudi_job

    folder = home / "spark" / "warm-up"
    shutil.rmtree(folder, ignore_errors=True)
    job = hudi_job.Job("", f"file://{folder}", "", "warm_up")
    for version in (1, 2):
        row: hudi_job.Row = ("WARM", date(2000, 1, 3), 1.0, 1.0, 1.0, 1.0, 1, version, "2000", {})
        hudi_job.upsert(spark, job, [row])
    shutil.rmtree(folder)


def apply_conf(spark: Any, argv: list[str]) -> None:
    """Apply a job's ``--conf`` (``a=b --conf c=d``) to the session.

    Raises ValueError when a setting that is fixed at start-up has another value here.
    """
    if "--conf" not in argv:
        return
    for setting in argv[argv.index("--conf") + 1].split(" --conf "):
        name, _, value = setting.strip().partition("=")
        if spark.conf.get(name, None) == value:
            continue
        if not spark.conf.isModifiable(name):
            raise ValueError(
                f"--conf {name}={value}: the local Spark session is fixed to {spark.conf.get(name)}"
            )
        spark.conf.set(name, value)


def run_script(spark: Any, script: str, argv: list[str]) -> dict[str, str]:
    """Run a script as ``__main__``; return Glue's state of the run and its error."""
    sys.argv = [script, *argv]
    try:
        apply_conf(spark, argv)
        runpy.run_path(script, run_name="__main__")
    except SystemExit as stop:
        if stop.code not in (None, 0):
            return {"state": "FAILED", "error": f"SystemExit: {stop.code}"}
    except BaseException as error:
        traceback.print_exc()
        return {"state": "FAILED", "error": f"{type(error).__name__}: {error}"[:2000]}
    return {"state": "SUCCEEDED", "error": ""}


def serve(requests: IO[str], answers: IO[str], home: Path) -> None:
    """Answer requests until the gateway closes its end."""
    started = time.monotonic()
    spark = session(home)
    warm_up(spark, home)
    print(json.dumps({"seconds": round(time.monotonic() - started, 1)}), file=answers, flush=True)
    for line in requests:
        request = json.loads(line)
        with (
            Path(request["log"]).open("a") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            answer = run_script(spark, request["script"], request["argv"])
        if spark.sparkContext._jsc.sc().isStopped():
            spark = session(home)
        print(json.dumps(answer), file=answers, flush=True)


def end_with_parent() -> None:
    """End this process and its JVM when the gateway is gone: its run is marked FAILED, and may start anew."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="spark-host-parent", daemon=True).start()


def main() -> None:
    """Keep the protocol's channel to ourselves: what scripts and the JVM print goes to standard error."""
    end_with_parent()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.stdin, answers, Path(os.environ["NEARCAST_HOME"]))


if __name__ == "__main__":
    main()
