"""How a crawled table's objects are read: its format, and the storage that the catalog names for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nearcast.local.gateway.crawler_types import Schema, to_hive

TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet."
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
LAZY_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV_SERDE = "org.apache.hadoop.hive.serde2.OpenCSVSerde"


@dataclass(frozen=True)
class Format:
    """What all objects of a table have in common.

    Parameters
    ----------
    classification
        ``json``, ``csv`` or ``parquet``.
    json_path
        Where JSON's records are.
    delimiter, quote, header, open_csv
        Of CSV: its characters, whether each object begins with a header, and whether OpenCSVSerde reads it.
    """

    classification: str
    json_path: str = "$"
    delimiter: str = ""
    quote: str = ""
    header: bool = False
    open_csv: bool = False

    def __str__(self) -> str:
        """Return the format in words."""
        if self.classification != "csv":
            return self.classification
        serde = "OpenCSVSerde" if self.open_csv else "LazySimpleSerDe"
        return f"csv with{'' if self.header else 'out'} a header, delimiter {self.delimiter!r}, {serde}"

    def document(self) -> dict[str, Any]:
        """Return the format as JSON can hold it."""
        return asdict(self)

    def columns(self, schema: Schema) -> dict[str, str]:
        """Return the columns' Hive types. OpenCSVSerde gives text, so its columns are strings."""
        return {name: "string" if self.open_csv else to_hive(kind) for name, kind in schema.items()}

    def parameters(self) -> dict[str, str]:
        """Return the properties that a crawler gives a table and its storage."""
        found = {
            "CrawlerSchemaDeserializerVersion": "1.0",
            "CrawlerSchemaSerializerVersion": "1.0",
            "classification": self.classification,
            "compressionType": "none",
            "typeOfData": "file",
        }
        if self.classification == "csv":
            found |= {"areColumnsQuoted": "false", "columnsOrdered": "true", "delimiter": self.delimiter}
            found |= {"skip.header.line.count": "1"} if self.header else {}
        return found

    def storage(self, columns: list[str]) -> dict[str, Any]:
        """Return the input and output formats and the SerDe of a table with these columns."""
        if self.classification == "parquet":
            serde, given = f"{PARQUET}serde.ParquetHiveSerDe", {"serialization.format": "1"}
            formats = {
                "InputFormat": f"{PARQUET}MapredParquetInputFormat",
                "OutputFormat": f"{PARQUET}MapredParquetOutputFormat",
            }
        else:
            formats = {"InputFormat": TEXT_INPUT, "OutputFormat": TEXT_OUTPUT}
            if self.classification == "json":
                serde, given = JSON_SERDE, {"paths": ",".join(sorted(columns))}
            elif self.open_csv:
                serde, given = OPEN_CSV_SERDE, {"separatorChar": self.delimiter, "quoteChar": self.quote}
            else:
                serde, given = LAZY_SERDE, {"field.delim": self.delimiter}
        return {**formats, "SerdeInfo": {"SerializationLibrary": serde, "Parameters": given}}
