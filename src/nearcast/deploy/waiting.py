"""Waiting for the end of what CloudFormation does with a stack."""

from __future__ import annotations

import time

from nearcast.deploy.connection import Connection, Progress
from nearcast.deploy.stacks import describe, events, last_event


def finish(connection: Connection, stack_id: str, since: str | None, total: int) -> str:
    """Wait until a stack is not in progress any more, tell how far it is, and return its status.

    Parameters
    ----------
    stack_id
        The id and not the name: a name does not lead to a stack that was deleted.
    since
        The id of the stack's last event before the operation; None: the operation is another run's.
    total
        How many resources the operation touches.
    """
    name = stack_id.split("/")[1]
    try:
        while True:
            stack = describe(connection.cloudformation, stack_id)
            status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
            # What was just asked for may not show in the status yet; without an event it has not begun.
            begun = since is None or last_event(connection.cloudformation, stack_id) != since
            ended = begun and not status.endswith("_IN_PROGRESS")
            if connection.report is not None:
                connection.report(_progress(connection, stack_id, since, total, ended))
            if ended:
                return str(status)
            time.sleep(connection.poll_s)
    except KeyboardInterrupt:
        connection.note(
            f"CloudFormation goes on with {name}. The same command again waits for it and goes on from there; "
            f"to look: aws cloudformation describe-stack-events --stack-name {name}"
        )
        raise


def _progress(connection: Connection, stack_id: str, since: str | None, total: int, ended: bool) -> Progress:
    done: set[str] = set()
    current: dict[str, str] = {}
    for event in events(connection.cloudformation, stack_id, since):
        resource, status = event["LogicalResourceId"], event["ResourceStatus"]
        if event.get("PhysicalResourceId") == stack_id:
            continue
        if status.endswith("_IN_PROGRESS"):
            current[resource] = event["ResourceType"]
        else:
            current.pop(resource, None)
            done.add(resource)
    return Progress(stack_id.split("/")[1], len(done), max(total, len(done)), ", ".join(current), ended)
