"""A Hudi table of version 6 (copy on write), written with PyArrow: what hudi-rs reads, without Spark."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nearcast.schema import BAR

PROPERTIES = """\
hoodie.table.name=prices
hoodie.table.type=COPY_ON_WRITE
hoodie.table.version=6
hoodie.timeline.layout.version=1
hoodie.table.timeline.timezone=UTC
hoodie.table.recordkey.fields=stock_symbol,date
hoodie.table.precombine.field=version
hoodie.table.partition.fields=stock_symbol,year
hoodie.datasource.write.hive_style_partitioning=true
hoodie.populate.meta.fields=true
hoodie.table.base.file.format=PARQUET
"""
META = [
    f"_hoodie_{name}" for name in ("commit_time", "commit_seqno", "record_key", "partition_path", "file_name")
]
ARROW = {"text": pa.string(), "date": pa.date32(), "double precision": pa.float64(), "bigint": pa.int64()}


class HudiTable:
    """A table whose commits replace the file of each symbol and year that they touch.

    Parameters
    ----------
    path
        Its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = pd.DataFrame()
        (path / ".hoodie").mkdir(parents=True)
        (path / ".hoodie" / "hoodie.properties").write_text(PROPERTIES)

    def commit(self, instant: str, bars: pd.DataFrame) -> None:
        """Upsert ``bars`` by symbol and date."""
        fresh = bars.assign(_hoodie_commit_time=instant, year=bars["date"].dt.year.astype(str))
        self.rows = pd.concat([self.rows, fresh]).drop_duplicates(["stock_symbol", "date"], keep="last")
        touched = fresh[["stock_symbol", "year"]].drop_duplicates()
        self._write(instant, [(str(symbol), str(year)) for symbol, year in touched.to_numpy()])

    def delete(self, instant: str, symbol: str, date: str) -> None:
        """Delete one bar."""
        gone = (self.rows["stock_symbol"] == symbol) & (self.rows["date"] == pd.Timestamp(date))
        self.rows = self.rows[~gone]
        self._write(instant, [(symbol, date[:4])])

    def _write(self, instant: str, partitions: list[tuple[str, str]]) -> None:
        stats: dict[str, list[dict[str, object]]] = {}
        for symbol, year in partitions:
            folder = f"stock_symbol={symbol}/year={year}"
            part = self.rows[(self.rows["stock_symbol"] == symbol) & (self.rows["year"] == year)]
            file_id = f"{symbol}-{year}"
            path = f"{folder}/{file_id}_0-0-0_{instant}.parquet"
            (self.path / folder).mkdir(parents=True, exist_ok=True)
            (self.path / folder / ".hoodie_partition_metadata").write_text("partitionDepth=2\n")
            pq.write_table(_arrow(part), self.path / path)
            stats[folder] = [{"fileId": file_id, "path": path, "prevCommit": "null", "numWrites": len(part)}]
        document = {"partitionToWriteStats": stats, "extraMetadata": {}, "operationType": "UPSERT"}
        (self.path / ".hoodie" / f"{instant}.commit").write_text(json.dumps(document))


def _arrow(rows: pd.DataFrame) -> pa.Table:
    fields = [(column.name, ARROW[column.postgres]) for column in BAR]
    schema = pa.schema([*((name, pa.string()) for name in META), *fields, ("year", pa.string())])
    whole = rows.assign(**dict.fromkeys(META[1:], ""))
    return pa.Table.from_pandas(whole[schema.names], schema=schema, preserve_index=False)
