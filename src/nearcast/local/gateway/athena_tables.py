"""The catalog's tables as DuckDB's: which objects a table has now, and how they are read.

Objects are read from the files that hold them; a Hudi table's are those of its latest snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearcast.local.gateway import athena_csv, athena_hudi, calls
from nearcast.local.gateway.athena_errors import DATA_ERROR, QueryError
from nearcast.local.gateway.athena_types import to_duckdb, to_hive
from nearcast.local.gateway.calls import StoredObject
from nearcast.local.gateway.hooks import AwsError

PATH_COLUMN = "$path"
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
VIEW_TEXT = re.compile(r"/\* Presto View: (\S+) \*/")
"""A view in the catalog: JSON, in base64."""
ESCAPED = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]")
"""What Hive writes as %XX in the name of a partition's folder (org.apache.hadoop.hive.common.FileUtils)."""
WIDER = {
    ("int", "bigint"),
    ("smallint", "int"),
    ("smallint", "bigint"),
    ("tinyint", "int"),
    ("float", "double"),
}
"""Parquet's type and the catalog's, where a reader may widen the values."""


@dataclass(frozen=True)
class Partition:
    """A partition's values, as the catalog has them, and the s3:// address of its folder."""

    values: tuple[str, ...]
    location: str


@dataclass(frozen=True)
class Source:
    """An object to read: its file, its s3:// address, its size and its partition's values.

    Of a merge-on-read table also the log files that change its rows; their sizes are counted with its own.
    """

    path: Path
    uri: str
    size: int
    values: tuple[str, ...]
    logs: tuple[Path, ...] = ()


class CatalogTable:
    """A table of the catalog, as GetTable describes it."""

    def __init__(self, database: str, described: dict[str, Any]) -> None:
        descriptor = described.get("StorageDescriptor") or {}
        serde = descriptor.get("SerdeInfo") or {}
        self.database = database
        self.name = described["Name"]
        self.view_text = described.get("ViewOriginalText") or ""
        self.is_view = described.get("TableType") == "VIRTUAL_VIEW"
        self.descriptor = descriptor
        self.parameters: dict[str, str] = described.get("Parameters") or {}
        self.described = described
        self.columns = {c["Name"].lower(): c["Type"].lower() for c in descriptor.get("Columns") or []}
        self.keys = {c["Name"].lower(): c["Type"].lower() for c in described.get("PartitionKeys") or []}
        self.location = directory(descriptor.get("Location") or "")
        self.serde = (serde.get("SerializationLibrary") or "").lower()
        self.serde_parameters = serde.get("Parameters") or {}
        input_format = descriptor.get("InputFormat") or ""
        self.is_hudi = input_format.startswith(athena_hudi.PREFIX)
        self.is_realtime = input_format.startswith(athena_hudi.REALTIME)

    def partitions(self) -> list[Partition]:
        """Return the partitions that the catalog has; a table without keys is one partition."""
        from ministack.services import glue

        if not self.keys:
            return [Partition((), self.location)]
        return [
            Partition(tuple(item["Values"]), directory(item["StorageDescriptor"]["Location"]))
            for item in glue._partitions.get(f"{self.database}/{self.name}") or []
        ]

    def sources(self, partitions: list[Partition]) -> list[Source]:
        """Return the objects of these partitions, hidden and empty ones left out."""
        folders = {partition.location: partition.values for partition in partitions}
        live = athena_hudi.snapshot(self.location) if self.is_hudi else None
        found = []
        for bucket, prefix in {_listed(partition.location, self.location) for partition in partitions}:
            for item in _objects(bucket, prefix):
                uri = f"s3://{bucket}/{item.key}"
                folder = _folder(uri, folders)
                if folder is None or (live is not None and item.path not in live):
                    continue
                if item.size and not _hidden(uri[len(folder) :]):
                    logs = live[item.path] if live is not None and self.is_realtime else ()
                    size = item.size + sum(log.stat().st_size for log in logs)
                    found.append(Source(item.path, uri, size, folders[folder], logs))
        return sorted(found, key=lambda source: source.uri)

    def scanned(self, sources: list[Source], used: set[str] | None) -> int:
        """Return the bytes that a query reads of these objects.

        Parameters
        ----------
        used
            The names in the query; of Parquet only the columns with these names are read. None for all columns.
        """
        if used is None or self.is_realtime or "parquet" not in self.serde:
            return sum(source.size for source in sources)
        return sum(_column_bytes(source.path, used) for source in sources)

    def reader(self, number: int, sources: list[Source], connection: Any) -> str:
        """Return the SELECT that reads these objects, with the catalog's columns and types, and ``filename``.

        Parameters
        ----------
        number
            What tells this table apart from others that the connection reads.
        sources
            The objects, at least one.
        connection
            DuckDB's; it is given what the SELECT needs.
        """
        types = {name: to_duckdb(kind) for name, kind in self.columns.items()}
        variable = f"files{number}"
        paths = [str(source.path) for source in sources]
        connection.execute(f"SET VARIABLE {variable} = $paths", {"paths": paths})
        if "json" in self.serde:
            return self._json_reader(variable, types)
        if self.is_realtime:
            slices = {source.path: source.logs for source in sources}
            connection.register(f"merged{number}", athena_hudi.merged(self.location, slices))
            return self._parquet_reader(f"merged{number}", types, connection)
        if "parquet" in self.serde:
            scan = (
                f"read_parquet(getvariable({text(variable)}), filename = true, hive_partitioning = false,"
                " union_by_name = true)"
            )
            return self._parquet_reader(scan, types, connection)
        if athena_csv.is_csv(self.serde):
            return athena_csv.reader(self, variable, self.parameters)
        raise QueryError(
            "NOT_SUPPORTED: The local Athena reads JSON, CSV, Parquet and Hudi tables,"
            f" not {self.serde or 'this one'}"
        )

    def _json_reader(self, variable: str, types: dict[str, str]) -> str:
        mapped = [name for name in self.serde_parameters if name.startswith("mapping.")]
        if mapped:
            raise QueryError(f"NOT_SUPPORTED: The local Athena knows no SerDe property {mapped[0]}")
        columns = ", ".join(f"{quote(name)}: {text(kind)}" for name, kind in types.items())
        lenient = str(self.serde_parameters.get("ignore.malformed.json", "false")).lower() == "true"
        return (
            f"SELECT {', '.join(map(quote, types))}, filename FROM read_json(getvariable({text(variable)}),"
            f" format = 'newline_delimited', columns = {{{columns}}}, filename = true,"
            f" hive_partitioning = false, ignore_errors = {str(lenient).lower()})"
        )

    def _parquet_reader(self, scan: str, types: dict[str, str], connection: Any) -> str:
        described = connection.execute(f"SELECT * FROM {scan} LIMIT 0").description
        stored = {name.lower(): kind for name, kind, *_ in described}
        shown = []
        for name, kind in types.items():
            if name in stored:
                self._check_parquet_type(name, stored[name])
            value = quote(name) if name in stored else "NULL"
            shown.append(f"CAST({value} AS {kind}) AS {quote(name)}")
        return f"SELECT {', '.join([*shown, 'filename'])} FROM {scan}"

    def _check_parquet_type(self, name: str, kind: Any) -> None:
        stored, wanted = to_hive(kind).lower(), self.columns[name]
        timestamps = stored == wanted == "timestamp" or kind.id == "timestamp with time zone"
        texts = stored == "string" and wanted.startswith(("varchar", "char"))
        if not (stored == wanted or (stored, wanted) in WIDER or timestamps or texts):
            raise QueryError(
                f"HIVE_BAD_DATA: Field {name}'s type {stored} in parquet file is incompatible with type {wanted}"
                " defined in table schema",
                DATA_ERROR,
            )


def find(database: str, name: str, at: str = "") -> CatalogTable:
    """Return a table of the catalog. Raises QueryError when there is none, or no such database."""
    try:
        described = calls.glue("GetTable", DatabaseName=database, Name=name)["Table"]
    except AwsError as error:
        if error.code != "EntityNotFoundException":
            raise
        reason = f"TABLE_NOT_FOUND: {at}Table 'awsdatacatalog.{database}.{name}' does not exist"
        if not database_exists(database):
            reason = f"SCHEMA_NOT_FOUND: {at}Schema '{database}' does not exist"
        raise QueryError(reason) from error
    return CatalogTable(database, described)


def database_exists(name: str) -> bool:
    """Return whether the catalog has this database."""
    try:
        calls.glue("GetDatabase", Name=name)
    except AwsError as error:
        if error.code == "EntityNotFoundException":
            return False
        raise
    return True


def directory(location: str) -> str:
    """Return an address as s3:// with a slash at its end."""
    return location.replace("s3a://", "s3://").rstrip("/") + "/" if location else ""


def partition_folder(keys: Iterable[str], values: Iterable[str]) -> str:
    """Return a partition's folder below its table, ``key=value/`` for each key, escaped as Hive does."""
    return "".join(f"{key}={_escaped(value)}/" for key, value in zip(keys, values, strict=True))


def _escaped(value: str) -> str:
    return ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", value)


def quote(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def _objects(bucket: str, prefix: str) -> list[StoredObject]:
    try:
        return calls.list_objects(bucket, prefix)
    except AwsError as error:
        raise QueryError(f"HIVE_METASTORE_ERROR: {error} (Service: Amazon S3)", DATA_ERROR) from error


def _column_bytes(path: Path, used: set[str]) -> int:
    from pyarrow import parquet

    metadata = parquet.read_metadata(path)
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    columns = (group.column(place) for group in groups for place in range(metadata.num_columns))
    return sum(c.total_compressed_size for c in columns if c.path_in_schema.split(".")[0].lower() in used)


def _listed(location: str, root: str) -> tuple[str, str]:
    """Return the bucket and prefix to list for a partition: the table's own, once for all under it."""
    return calls.split_uri(root if root and location.startswith(root) else location)


def _folder(uri: str, folders: dict[str, tuple[str, ...]]) -> str | None:
    """Return the nearest of ``folders`` that holds this object."""
    while "/" in (uri := uri.rstrip("/")).partition("://")[2]:
        uri = uri.rpartition("/")[0] + "/"
        if uri in folders:
            return uri
    return None


def _hidden(relative: str) -> bool:
    return any(part.startswith(("_", ".")) for part in relative.split("/"))
