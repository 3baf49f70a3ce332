"""Hudi tables: which files are their latest snapshot, and base files merged with their logs (hudi-rs).

A merge-on-read table has two names on AWS: ``_ro``, whose input format reads base files alone, and ``_rt``,
whose realtime input format merges what the log files change.
Source: docs.aws.amazon.com/athena/latest/ug/querying-hudi.html
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import calls
from nearcast.local.gateway.athena_errors import DATA_ERROR, QueryError
from nearcast.local.gateway.hooks import AwsError

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "org.apache.hudi."
REALTIME = f"{PREFIX}hadoop.realtime."
"""How the names of Hudi's input formats begin, and of those among them that merge log files."""


def snapshot(location: str) -> dict[Path, tuple[Path, ...]]:
    """Return the base files of a table's latest snapshot, each with the log files that change its rows.

    Read from the disk: 10 ms, with no request to ourselves. Raises QueryError when there is no such table.
    """
    table, root = _open(location)
    # ministack keeps a file of its own beside each object's; hudi-rs takes those beside log files for log files.
    stored = {item.path for item in calls.list_objects(*calls.split_uri(location))}
    return {
        root / piece.base_file_relative_path(): tuple(
            root / log for log in piece.log_files_relative_paths() if root / log in stored
        )
        for piece in table.get_file_slices()
    }


def merged(location: str, slices: dict[Path, tuple[Path, ...]]) -> pa.Table:
    """Return the rows of base files as their log files leave them, with the base file's path as ``filename``.

    Parameters
    ----------
    location
        The table's s3:// address.
    slices
        Base files, at least one, and their log files, as snapshot gives them.
    """
    import pyarrow as pa

    table, root = _open(location)
    reader = table.create_file_group_reader_with_options()
    parts = []
    for base, logs in slices.items():
        relative = [str(file.relative_to(root)) for file in (base, *logs)]
        rows = pa.Table.from_batches([reader.read_file_slice_from_paths(relative[0], relative[1:])])
        parts.append(rows.append_column("filename", pa.repeat(str(base), len(rows))))
    return pa.concat_tables(parts, promote_options="permissive")


def _open(location: str) -> tuple[Any, Path]:
    from hudi import HudiTableBuilder

    bucket, prefix = calls.split_uri(location)
    try:
        properties = calls.list_objects(bucket, f"{prefix}.hoodie/hoodie.properties")
    except AwsError as error:
        raise QueryError(f"HIVE_METASTORE_ERROR: {error} (Service: Amazon S3)", DATA_ERROR) from error
    if not properties:
        raise QueryError(f"HIVE_UNKNOWN_ERROR: There is no Hudi table at {location}", DATA_ERROR)
    root = properties[0].path.parent.parent
    return HudiTableBuilder.from_base_uri(root.as_uri()).build(), root
