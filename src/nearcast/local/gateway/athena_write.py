"""Rows that a statement writes to S3: files by partition, put at their place at its end, and their manifest.

Source: docs.aws.amazon.com/athena/latest/ug/create-table-as.html
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nearcast.local.gateway import calls
from nearcast.local.gateway.athena_errors import QueryCancelledError, QueryError
from nearcast.local.gateway.athena_statements import Context
from nearcast.local.gateway.athena_tables import NULL_PARTITION, quote, text
from nearcast.local.gateway.athena_types import ATHENA, ENGINE_ONLY, HIVE, to_hive
from nearcast.local.gateway.hooks import AwsError

FORMATS = ("PARQUET", "JSON")
COMPRESSIONS = {
    "PARQUET": {"SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "NONE": "uncompressed"},
    "JSON": {"GZIP": "gzip", "ZSTD": "zstd", "NONE": "uncompressed"},
}
ENDINGS = {"GZIP": ".gz", "ZSTD": ".zst", "NONE": ""}
"""How a JSON object's name ends, by its compression: readers go by it."""
MAX_PARTITIONS = 100
"""Athena writes at most 100 partitions in one statement."""


@dataclass(frozen=True)
class Output:
    """How rows are written: PARQUET or JSON, compressed how, and the columns (the last ones) that part them."""

    format: str = "PARQUET"
    compression: str = "GZIP"
    keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Raise QueryError: a format or compression that is not written here."""
        if self.format not in FORMATS:
            raise QueryError(
                f"NOT_SUPPORTED: The local Athena writes {' and '.join(FORMATS)}, not {self.format}"
            )
        if self.compression not in COMPRESSIONS[self.format]:
            raise QueryError(
                f"NOT_SUPPORTED: Compression {self.compression} of {self.format} is not supported by the local"
                " Athena"
            )


def storable(kind: Any) -> str:
    """Return the catalog's type for a column that is written; DuckDB's own wider types are cast.

    Raises QueryError when no table can hold it.
    """
    return HIVE[ATHENA[kind.id][0]] if kind.id in ENGINE_ONLY else to_hive(kind)


def castable(query: str, described: list[tuple[str, Any]]) -> str:
    """Return a query with the columns of DuckDB's own types cast to Athena's."""
    shown = [
        f"CAST({quote(name)} AS {ATHENA[kind.id][0]}) AS {quote(name)}"
        if kind.id in ENGINE_ONLY
        else quote(name)
        for name, kind in described
    ]
    return f"SELECT {', '.join(shown)} FROM ({query})"


def write(context: Context, query: str, output: Output, sql: str) -> tuple[Path, int]:
    """Write the rows of DuckDB's ``query`` as files below the scratch folder; return where, and how many.

    Raises QueryError: the query fails, or it has too many partitions.
    """
    compression = COMPRESSIONS[output.format][output.compression]
    options = [f"FORMAT {output.format.lower()}", f"COMPRESSION {compression}"]
    target = Path(context.scratch) / context.query_id
    target.mkdir(parents=True)
    if output.keys:
        options.append(f"PARTITION_BY ({', '.join(map(quote, output.keys))})")
    place = target if output.keys else target / "part"
    copied = context.session.execute(f"COPY ({query}) TO {text(str(place))} ({', '.join(options)})", sql)
    folders = {file.parent for file in _files(target)}
    if output.keys and len(folders) > MAX_PARTITIONS:
        raise QueryError(
            f"HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of {MAX_PARTITIONS} open writers for"
            " partitions/buckets"
        )
    return target, int(copied.fetchone()[0])


def upload(
    context: Context, written: Path, output: Output, folder_of: Callable[[tuple[str, ...]], str]
) -> dict[str, tuple[str, ...]]:
    """Move the files to their places; return each object's address with its partition's values.

    Parameters
    ----------
    folder_of
        Gives the s3:// address, with a slash at its end, of the folder of a partition's values.

    Raises QueryError when an object cannot be put, QueryCancelledError when the query was stopped; nothing
    is left then.
    """
    stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime())
    ending = "" if output.format == "PARQUET" else ENDINGS[output.compression]
    objects: dict[str, tuple[str, ...]] = {}
    try:
        for file in _files(written):
            if context.session.stopped:
                raise QueryCancelledError
            values = tuple(map(_value, file.parent.relative_to(written).parts))
            uri = f"{folder_of(values)}{stamp}_{uuid.uuid4().hex}{ending}"
            calls.put_object(*calls.split_uri(uri), file.read_bytes())
            objects[uri] = values
    except AwsError as error:
        discard(objects)
        raise QueryError(f"HIVE_WRITER_CLOSE_ERROR: {error} (Service: Amazon S3)") from error
    except QueryCancelledError:
        discard(objects)
        raise
    shutil.rmtree(written)
    return objects


def discard(objects: dict[str, tuple[str, ...]]) -> None:
    """Delete objects that a failed statement has written."""
    for uri in objects:
        calls.delete_object(*calls.split_uri(uri))


def put_manifest(context: Context, objects: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """List the written objects beside the result, as awswrangler reads them; return what Statistics say of it."""
    manifest = f"{context.output_location}-manifest.csv"
    calls.put_object(*calls.split_uri(manifest), "".join(f"{uri}\n" for uri in objects).encode())
    return {"DataManifestLocation": manifest}


def refuse_taken(location: str, table: str) -> None:
    """Raise QueryError when there are objects below a place that must be empty, or no such bucket."""
    try:
        taken = calls.list_objects(*calls.split_uri(location))
    except AwsError as error:
        raise QueryError(f"HIVE_METASTORE_ERROR: {error} (Service: Amazon S3)") from error
    if taken:
        raise QueryError(
            f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{table}' already exists: {location}"
        )


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _value(folder: str) -> str:
    """Return the value in DuckDB's name of a partition's folder; Hive keeps an empty text as a null."""
    return unquote(folder.partition("=")[2]) or NULL_PARTITION
