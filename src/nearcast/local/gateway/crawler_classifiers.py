"""Classifiers: which format an object has, by the crawler's own classifiers first and Glue's built-in ones then.

Source: docs.aws.amazon.com/glue/latest/dg/add-classifier.html and custom-classifier.html
"""

from __future__ import annotations

from typing import Any, Protocol

from nearcast.local.gateway import calls
from nearcast.local.gateway.calls import StoredObject
from nearcast.local.gateway.crawler_csv import CsvRules, MismatchError, sample
from nearcast.local.gateway.crawler_errors import UnreadableError
from nearcast.local.gateway.crawler_formats import Format
from nearcast.local.gateway.crawler_json import PATH
from nearcast.local.gateway.crawler_types import Schema
from nearcast.local.gateway.hooks import AwsError

HEAD = 4096
OTHERS = {
    b"Obj\x01": "Avro",
    b"ORC": "ORC",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"PK\x03\x04": "ZIP",
    b"<": "XML",
}
"""What Glue's built-in classifiers know and these do not, by the objects' first bytes."""


Recognised = tuple[Format, Schema | None]
"""An object's format, and its columns where they had to be looked at to know it."""


class Classifier(Protocol):
    """Recognises objects of one format."""

    name: str

    def recognise(self, item: StoredObject, head: bytes, known: Schema) -> Recognised:
        """Look at an object of a table with the columns ``known``. Raises MismatchError: not this format."""


class JsonClassifier:
    """Recognises JSON by its first character."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path

    def recognise(self, item: StoredObject, head: bytes, known: Schema) -> Recognised:
        """Return JSON, with this classifier's path."""
        if head.lstrip()[:1] not in (b"{", b"["):
            raise MismatchError("it does not begin like JSON")
        return Format("json", json_path=self.path), None


class ParquetClassifier:
    """Recognises Parquet by its magic number."""

    name = "parquet"

    def recognise(self, item: StoredObject, head: bytes, known: Schema) -> Recognised:
        """Return Parquet."""
        if not head.startswith(b"PAR1"):
            raise MismatchError("it does not begin like Parquet")
        return Format("parquet"), None


class CsvClassifier:
    """Recognises CSV by its rows.

    Parameters
    ----------
    serde
        OpenCSVSerDe, LazySimpleSerDe, or None: the one for quoted values where there are some.
    """

    def __init__(self, name: str, rules: CsvRules, serde: str) -> None:
        self.name = name
        self.rules = rules
        self.serde = serde

    def recognise(self, item: StoredObject, head: bytes, known: Schema) -> Recognised:
        """Return CSV, with what was found of it, and its columns."""
        found = sample(item.path, self.rules, list(known))
        open_csv = self.serde == "OpenCSVSerDe" or (self.serde == "None" and found.quoted)
        quote, delimiter, header = self.rules.quote, found.delimiter, found.header
        return Format("csv", delimiter=delimiter, quote=quote, header=header, open_csv=open_csv), found.schema


BUILT_IN: tuple[Classifier, ...] = (
    ParquetClassifier(),
    JsonClassifier("json", "$"),
    CsvClassifier("csv", CsvRules(), "LazySimpleSerDe"),
)
"""Glue's own, in the order of its documentation; those between them are not done here."""


def of_crawler(names: list[str]) -> list[Classifier]:
    """Return the classifiers of a crawler in their order, the built-in ones last. Raises AwsError."""
    return [_custom(name) for name in names] + list(BUILT_IN)


def _custom(name: str) -> Classifier:
    described = calls.glue("GetClassifier", Name=name)["Classifier"]
    if "JsonClassifier" in described:
        path = described["JsonClassifier"].get("JsonPath") or "$"
        if not PATH.fullmatch(path):
            raise AwsError(
                "InvalidInputException",
                f"Classifier {name}: the JSON path {path} is not supported here: only $, .name, [*] and [n] are",
            )
        return JsonClassifier(name, path)
    if "CsvClassifier" in described:
        given = described["CsvClassifier"]
        if given.get("CustomDatatypeConfigured"):
            raise AwsError(
                "InvalidInputException", f"Classifier {name}: custom data types are not supported here"
            )
        return CsvClassifier(name, _csv_rules(given), given.get("Serde") or "None")
    kind = next((kind for kind in described if kind.endswith("Classifier")), "nothing")
    raise AwsError(
        "InvalidInputException",
        f"Classifier {name}: {kind} is not supported here: only JsonClassifier and CsvClassifier are",
    )


def _csv_rules(given: dict[str, Any]) -> CsvRules:
    return CsvRules(
        delimiter=given.get("Delimiter") or ",",
        quote=given.get("QuoteSymbol") or '"',
        header=given.get("ContainsHeader") or "UNKNOWN",
        names=tuple(given.get("Header") or ()),
        trim=given.get("DisableValueTrimming") is False,
        single_column=bool(given.get("AllowSingleColumn")),
        records=1,
    )


def classify(item: StoredObject, classifiers: list[Classifier], known: Schema) -> Recognised:
    """Return what the first classifier says that recognises an object. Raises UnreadableError: none does."""
    try:
        with item.path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise UnreadableError(item.key, error.strerror or str(error)) from error
    reasons = []
    for classifier in classifiers:
        if classifier is BUILT_IN[0]:
            _refuse_others(item, head)
        try:
            return classifier.recognise(item, head, known)
        except MismatchError as mismatch:
            reasons.append(f"{classifier.name}: {mismatch}")
    raise UnreadableError(item.key, f"no classifier recognises it ({'; '.join(reasons)})")


def _refuse_others(item: StoredObject, head: bytes) -> None:
    for magic, name in OTHERS.items():
        if head.startswith(magic):
            raise UnreadableError(item.key, f"{name} is not supported here: only JSON, CSV and Parquet are")
