"""The packaged Lambda and the Hudi job's script: uploaded under their content hash."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any


def package_transformer() -> bytes:
    """Return the Lambda's zip; the same source gives the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("transformer.py", date_time=(1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, _source("stream/transformer.py"))
    return packed.getvalue()


def artifacts() -> dict[str, tuple[str, bytes]]:
    """Return key and content of every artifact, by the template parameter that takes the key."""
    bodies = {
        "TransformerKey": ("transformer/{}.zip", package_transformer()),
        "HudiJobKey": ("hudi_job/{}.py", _source("lake/hudi_job.py")),
    }
    return {name: (pattern.format(content_hash(body)), body) for name, (pattern, body) in bodies.items()}


def content_hash(body: bytes) -> str:
    """Return the name that content has in the bucket."""
    return hashlib.sha256(body).hexdigest()[:16]


def upload(s3: Any, bucket: str, key: str, body: bytes) -> bool:
    """Put an object whose key names its content, and tell whether it was not there before."""
    if s3.list_objects_v2(Bucket=bucket, Prefix=key).get("KeyCount"):
        return False
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return True


def _source(relative: str) -> bytes:
    return (Path(__file__).parents[1] / relative).read_bytes()
