"""The states that earlier deployments leave behind, and the way on from each."""

from __future__ import annotations

from typing import Any

from nearcast.deploy.connection import Connection
from nearcast.deploy.failures import failure, refusals
from nearcast.deploy.stacks import describe, last_event
from nearcast.deploy.waiting import finish

READY = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)
"""The states from which a stack can be updated."""
WAYS_ON = {
    "CREATE_FAILED": ("delete_stack", "its creation had failed: removing what is left of it"),
    "ROLLBACK_COMPLETE": ("delete_stack", "its creation had failed: removing what is left of it"),
    "ROLLBACK_FAILED": ("delete_stack", "its creation had failed: removing what is left of it"),
    "DELETE_FAILED": ("delete_stack", "its deletion had failed: trying it again"),
    "UPDATE_FAILED": ("rollback_stack", "its last update had failed: rolling it back"),
    "UPDATE_ROLLBACK_FAILED": ("continue_update_rollback", "its last rollback had failed: going on with it"),
}
"""What is called in the other states, and what is said of it. Data that the template retains stays."""
TODO = {
    "delete_stack": "Mend the cause (empty a bucket that is to go, delete what uses the resource), then run the same "
    "command again; or let the stack go without it: "
    "aws cloudformation delete-stack --stack-name {name} --retain-resources RESOURCE",
    "rollback_stack": "Mend the cause, then run the same command again.",
    "continue_update_rollback": "Mend the cause, then run the same command again; or skip the resource: "
    "aws cloudformation continue-update-rollback --stack-name {name} --resources-to-skip RESOURCE",
}


def make_ready(connection: Connection, name: str) -> dict[str, Any] | None:
    """Bring a stack into a state from which it can be updated, and return it; None when it is to be created.

    Raises
    ------
    DeployError
        What an earlier run left cannot be undone.
    """
    while True:
        stack = describe(connection.cloudformation, name)
        if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
            return None
        status, stack_id = stack["StackStatus"], stack["StackId"]
        if status in READY:
            return stack
        if status.endswith("_IN_PROGRESS"):
            connection.note(f"{name} is {status}, by another run: waiting for it")
            finish(connection, stack_id, None, 0)
            continue
        action, said = WAYS_ON[status]
        connection.note(f"{name}: {said}")
        since = last_event(connection.cloudformation, stack_id)
        with refusals(name, TODO[action].format(name=name)):
            getattr(connection.cloudformation, action)(StackName=name)
        ended = finish(connection, stack_id, since, 0)
        if ended not in READY and ended != "DELETE_COMPLETE":
            raise failure(connection, stack_id, ended, since, TODO[action].format(name=name))
