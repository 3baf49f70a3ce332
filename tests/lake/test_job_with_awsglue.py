"""The job's script where the package `awsglue` exists (Glue) and where it does not (any other Spark)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from awsglue.utils import getResolvedOptions

from nearcast.aws import client
from nearcast.lake import hudi_job
from nearcast.lake.query import query
from nearcast.settings import Settings
from tests.lake import objects
from tests.local.gateway.test_jobs import run

HEADERS = {
    # What begins each script that Glue generates.
    "with": "import sys; from awsglue.utils import getResolvedOptions; getResolvedOptions(sys.argv, ['JOB_NAME'])",
    "without": "import sys; sys.modules['awsglue'] = None",
}
SCRIPT = Path(hudi_job.__file__).read_text()
FUTURE = "from __future__ import annotations\n"
LINE = (
    b'{"stock_symbol": "GLUE", "date": "2001-01-02", "open_price": 1.5, "high_price": 2, "low_price": 1,'
    b' "close_price": 1.75, "volume": 10, "version": %d, "deleted": false}'
)


@pytest.fixture
def world(deployed: Settings) -> Iterator[Settings]:
    """The deployed world without raw objects, before and after."""
    objects.remove(deployed, "prices/")
    yield deployed
    objects.remove(deployed, "prices/")


@pytest.mark.parametrize("awsglue", HEADERS)
def test_the_script_upserts_with_the_package_awsglue_and_without_it(world: Settings, awsglue: str) -> None:
    glue, name = client("glue", world), f"nearcast-{awsglue}-awsglue"
    deployed = glue.get_job(JobName=world.need("hudi_job"))["Job"]
    body = SCRIPT.replace(FUTURE, f"{FUTURE}\n{HEADERS[awsglue]}\n", 1)
    key, bucket = f"test/{name}.py", world.need("artifacts_bucket")
    client("s3", world).put_object(Bucket=bucket, Key=key, Body=body.encode())
    glue.create_job(
        Name=name,
        Role=deployed["Role"],
        Command={**deployed["Command"], "ScriptLocation": f"s3://{bucket}/{key}"},
        DefaultArguments=deployed["DefaultArguments"],
    )
    stamp = 1 + (awsglue == "without")
    objects.put(world, f"prices/year=2001/month=01/{name}", LINE % stamp)
    assert run(world, name)["JobRunState"] == "SUCCEEDED"
    glue.delete_job(JobName=name)
    rows = query(world, "SELECT max(version) FROM prices WHERE stock_symbol = 'GLUE'").rows
    assert rows == [[stamp]]


def test_arguments_are_read_as_awsglue_reads_them() -> None:
    """Glue hands over its own arguments beside the job's."""
    given = {"queue_url": "https://q", "table_path": "s3://b/prices", "database": "d", "table": "prices"}
    given |= {"lease_table": "leases", "JOB_NAME": "j"}
    argv = [
        "script.py",
        "--job-bookmark-option",
        "job-bookmark-disable",
        "--JOB_RUN_ID",
        "jr_1",
        "--JOB_ID",
        "j_1",
    ]
    argv += [part for name, value in given.items() for part in (f"--{name}", value)]
    argv += ["--TempDir", "s3://tmp", "--enable-metrics", "true"]
    theirs = getResolvedOptions(argv, list(given))
    ours = hudi_job.parse_arguments(argv[1:])
    assert {name: theirs[name] for name in given} == given
    assert (ours.job_name, ours.run_id) == (theirs["JOB_NAME"], theirs["JOB_RUN_ID"])
    assert all(getattr(ours, name) == theirs[name] for name in given if name != "JOB_NAME")
