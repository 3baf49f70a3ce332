"""The count of rejected objects, and what shows when it cannot be taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from nearcast.aws import client
from nearcast.dashboard.rejected import Rejected, count_rejected
from nearcast.settings import Settings

REQUEST = {"Bucket": "raw", "Prefix": "errors/", "MaxKeys": 1000}


@pytest.fixture
def s3(aws: Settings) -> Iterator[Stubber]:
    """S3's answers."""
    with Stubber(client("s3", aws)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_objects_under_the_error_prefix_are_counted_with_one_request(aws: Settings, s3: Stubber) -> None:
    s3.add_response("list_objects_v2", {"KeyCount": 3, "IsTruncated": False}, REQUEST)
    assert count_rejected(aws) == Rejected(3)


def test_more_than_one_page_is_not_counted_but_said(aws: Settings, s3: Stubber) -> None:
    s3.add_response("list_objects_v2", {"KeyCount": 1000, "IsTruncated": True}, REQUEST)
    assert count_rejected(aws) == Rejected(1000, more=True)


def test_a_failed_listing_is_a_problem_not_a_zero(aws: Settings, s3: Stubber) -> None:
    s3.add_client_error("list_objects_v2", "AccessDenied", "not yours", expected_params=REQUEST)
    assert "not yours" in count_rejected(aws).problem


def test_without_a_bucket_it_says_what_to_do() -> None:
    assert "nearcast deploy" in count_rejected(Settings()).problem
