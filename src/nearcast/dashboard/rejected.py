"""How many objects lie under the error prefix of the raw bucket: records that could not be transformed."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.aws import client
from nearcast.errors import NearcastError
from nearcast.lake.counts import ERROR_PREFIX
from nearcast.settings import Settings

EVERY_S = 15.0
LARGEST_COUNT = 1000
"""Objects counted at most: one page of a listing."""


@dataclass(frozen=True)
class Rejected:
    """Objects with rejected records; ``more``: there are more than that; ``problem``: why there is no count."""

    objects: int = 0
    more: bool = False
    problem: str = ""


def count_rejected(settings: Settings) -> Rejected:
    """Count the objects under the error prefix with one request; a failure is a value too."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        page = client("s3", settings).list_objects_v2(
            Bucket=settings.need("raw_bucket"), Prefix=ERROR_PREFIX, MaxKeys=LARGEST_COUNT
        )
    except NearcastError:
        return Rejected(problem="no raw bucket yet: nearcast deploy")
    except (BotoCoreError, ClientError) as error:
        return Rejected(problem=f"the raw bucket cannot be listed: {error}")
    return Rejected(page["KeyCount"], page["IsTruncated"])
