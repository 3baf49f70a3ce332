"""What AWS's refusals mean and what helps: one table, for every command that meets one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nearcast.aws import is_loopback


@dataclass(frozen=True)
class Explanation:
    """What a kind of refusal means.

    Parameters
    ----------
    codes
        AWS's error codes, and names of botocore's exceptions.
    happened
        What went wrong; {said} is what AWS said.
    todo
        What helps; {action}, {resource} and {policy} are those of a missing right.
    """

    codes: tuple[str, ...]
    happened: str
    todo: str


EXPLANATIONS = (
    Explanation(
        ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"),
        "There are no AWS credentials: {said}",
        "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, so that "
        "`aws sts get-caller-identity` answers. Then try again.",
    ),
    Explanation(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "RequestExpired",
            "SSOTokenLoadError",
            "TokenRetrievalError",
            "TokenRefreshRequired",
            "UnauthorizedSSOTokenError",
        ),
        "The AWS credentials have expired: {said}",
        "Get new ones (`aws sso login`, or the command that gave you these), then try again.",
    ),
    Explanation(
        ("RequestTimeTooSkewed", "InvalidSignatureException", "SignatureDoesNotMatch"),
        "AWS does not accept the signature: {said}",
        "Check the secret key, and that this machine's clock is right. Then try again.",
    ),
    Explanation(
        (
            "AuthFailure",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "OptInRequired",
            "SubscriptionRequiredException",
            "UnrecognizedClientException",
        ),
        "AWS does not know these credentials here: {said}",
        "Either the access key is wrong, or the region (AWS_REGION) is not enabled in the account: see "
        "`aws account list-regions`. Then try again.",
    ),
    Explanation(
        ("NoRegionError", "InvalidRegionError"),
        "There is no AWS region: {said}",
        "Set AWS_REGION, for example to us-east-1, or a region in the profile. Then try again.",
    ),
    Explanation(
        (
            "ConnectTimeoutError",
            "ConnectionClosedError",
            "EndpointConnectionError",
            "ProxyConnectionError",
            "ReadTimeoutError",
            "SSLError",
        ),
        "AWS cannot be reached: {said}",
        "Check the region's name (AWS_REGION) and the network. Then try again.",
    ),
    Explanation(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedException", "UnauthorizedOperation"),
        "A right is missing: {said}",
        "{policy} must allow {action} on {resource}. Then try again.",
    ),
    Explanation(
        ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"),
        "A bucket's name is taken: {said}",
        "Choose another environment, whose name is part of every bucket's: NEARCAST_ENVIRONMENT=other. "
        "A bucket of your own that no stack holds is taken over by itself if its template retains it.",
    ),
    Explanation(
        ("AlreadyExists", "ResourceInUseException", "EntityAlreadyExistsException"),
        "Something of that name is there already: {said}",
        "Delete it if it is a leftover, or choose another environment: NEARCAST_ENVIRONMENT=other. "
        "Then try again.",
    ),
    Explanation(
        ("LimitExceededException", "ServiceLimitExceeded", "ServiceQuotaExceededException", "TooManyBuckets"),
        "A quota of the account is used up: {said}",
        "Delete what is not needed, or have the quota raised in the Service Quotas console. Then try again.",
    ),
    Explanation(
        ("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"),
        "AWS takes no more calls at this rate: {said}",
        "Wait a minute, then try again.",
    ),
)
"""Every kind that is told apart, the first that has the code counts."""

DENIED = re.compile(
    r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource:? (?P<resource>\S+))?"
)
POLICIES = {
    "service control policy": "The organisation's service control policy",
    "resource control policy": "The organisation's resource control policy",
    "permissions boundary": "The permissions boundary of {who}",
    "session policy": "The policy of this session",
    "resource-based policy": "The resource's own policy",
}
"""Whose policy must change, by the words with which AWS names it; else it is the caller's own."""
WHO = re.compile(r"(?:User|Role|Principal): (\S+)")


def explain(code: str, said: str, operation: str = "") -> tuple[str, str] | None:
    """Return what happened and what helps, by AWS's code of a refusal and what it said; None: it is not known.

    ``operation`` (service:Operation) stands in for the action that some refusals do not name.
    """
    found = next((one for one in EXPLANATIONS if code in one.codes), None)
    if found is None:
        return None
    denied, who = DENIED.search(said), WHO.search(said)
    caller = who.group(1) if who else "the caller"
    policy = next((text for words, text in POLICIES.items() if words in said), "An IAM policy of {who}")
    resource = (denied.group("resource") if denied else None) or "the resource"
    return found.happened.format(said=said.strip()), found.todo.format(
        action=denied.group("action") if denied else operation or "the action",
        resource=resource.rstrip('.,)"'),
        policy=policy.format(who=caller),
    )


def explain_exception(error: Exception) -> tuple[str, str] | None:
    """Return what an exception of botocore means and what helps; None when the table does not have it."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        # The gateway is no AWS: whoever cannot reach it should start it.
        if is_loopback(str(getattr(error, "kwargs", {}).get("endpoint_url", ""))):
            return None
        return explain(type(error).__name__, str(error))
    details = response.get("Error", {})
    return explain(
        str(details.get("Code", "")), str(details.get("Message", error)), getattr(error, "operation_name", "")
    )


HANDLER_CODE = re.compile(r"HandlerErrorCode: (\w+)")
SERVICE_CODE = re.compile(r"(?:Error Code|ErrorCode): (\w+)")


def explain_reason(resource_type: str, reason: str) -> tuple[str, str] | None:
    """Return what the reason of a failed resource in a stack's events means and what helps, or None."""
    if DENIED.search(reason):
        return explain("AccessDenied", reason)
    if resource_type == "AWS::S3::Bucket" and "already exists" in reason:
        return explain("BucketAlreadyExists", reason)
    codes = [match.group(1) for match in (HANDLER_CODE.search(reason), SERVICE_CODE.search(reason)) if match]
    if not codes and "already exists" in reason:
        codes = ["AlreadyExists"]
    return next((found for code in codes if (found := explain(code, reason))), None)
