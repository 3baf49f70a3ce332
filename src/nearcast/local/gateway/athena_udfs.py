"""Functions that DuckDB has no counterpart of and Python's standard library does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import unicodedata
import zlib
from decimal import Decimal
from statistics import NormalDist
from typing import Any

from nearcast.local.gateway.athena_types import java_double


def register(connection: Any) -> None:
    """Add the functions to a DuckDB connection; each gives null for null."""
    for name, (function, arguments, result) in FUNCTIONS.items():
        connection.create_function(name, function, arguments, result)


def double_text(value: float) -> str:
    """Return a double as Trino casts it to varchar: always with an exponent (``1.5E0``)."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    shown = "".join(map(str, digits))
    power = int(exponent) + len(shown) - 1 if value else 0
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{power}"


def _hmac(algorithm: str) -> Any:
    def digest(data: bytes, key: bytes) -> bytes:
        return hmac.digest(key, data, algorithm)

    return digest


def _normalized(text: str, form: Any) -> str:
    return unicodedata.normalize(form, text)


FUNCTIONS: dict[str, tuple[Any, list[str], str]] = {
    "trino_java_text": (java_double, ["DOUBLE"], "VARCHAR"),
    "trino_double_text": (double_text, ["DOUBLE"], "VARCHAR"),
    "sha512": (lambda data: hashlib.sha512(data).digest(), ["BLOB"], "BLOB"),
    "crc32": (lambda data: zlib.crc32(data), ["BLOB"], "BIGINT"),
    "to_base32": (lambda data: base64.b32encode(data).decode(), ["BLOB"], "VARCHAR"),
    "from_base32": (lambda text: base64.b32decode(text), ["VARCHAR"], "BLOB"),
    "from_big_endian_64": (lambda data: int.from_bytes(data, "big", signed=True), ["BLOB"], "BIGINT"),
    "from_big_endian_32": (lambda data: int.from_bytes(data, "big", signed=True), ["BLOB"], "INTEGER"),
    "to_ieee754_64": (lambda value: struct.pack(">d", value), ["DOUBLE"], "BLOB"),
    "from_ieee754_64": (lambda data: struct.unpack(">d", data)[0], ["BLOB"], "DOUBLE"),
    "normal_cdf": (lambda mean, sd, v: NormalDist(mean, sd).cdf(v), ["DOUBLE"] * 3, "DOUBLE"),
    "inverse_normal_cdf": (lambda mean, sd, p: NormalDist(mean, sd).inv_cdf(p), ["DOUBLE"] * 3, "DOUBLE"),
    "trino_normalize": (_normalized, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    **{
        f"hmac_{name}": (_hmac(name), ["BLOB", "BLOB"], "BLOB")
        for name in ("md5", "sha1", "sha256", "sha512")
    },
}
"""Functions by name, with the types of their arguments and result."""
