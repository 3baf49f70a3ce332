"""`nearcast deploy` and `nearcast destroy`: the CloudFormation stacks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option

if TYPE_CHECKING:
    from nearcast.deploy import ChangeSet, Deployed, Doomed, Planned
    from nearcast.output import Output

target_option = click.option(
    "--target",
    type=click.Choice(["local", "aws"]),
    default="local",
    show_default=True,
    help="The local gateway, or an AWS account.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask: for automation.")


@click.command()
@target_option
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, and change nothing.")
@yes_option
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="A template's parameter.")
@json_option
def deploy(target: str, only_plan: bool, yes: bool, assignments: tuple[str, ...], as_json: bool) -> None:
    """Create or update the stacks of infrastructure/: in the local gateway, or in an AWS account.

    `nearcast up` does it for the local services; run it after you changed a template, the Lambda or the Hudi job.
    On AWS each stack's changes are shown, and you are asked. Region and credentials are those of the AWS CLI
    (AWS_REGION, AWS_PROFILE). Parameters that are not set keep what the stack has.

    \b
    Examples:
      nearcast deploy
      NEARCAST_HOME=.nearcast-aws nearcast deploy --target aws --plan
      NEARCAST_HOME=.nearcast-aws nearcast deploy --target aws --set BufferSeconds=300
      NEARCAST_HOME=.nearcast-aws nearcast deploy --target aws --yes --json
    """
    from nearcast.commands.stack_progress import StackProgress
    from nearcast.deploy import ParameterError
    from nearcast.deploy import deploy as deploy_stacks
    from nearcast.deploy import plan as plan_stacks
    from nearcast.deploy.target import settings_for
    from nearcast.output import Output
    from nearcast.settings import load_settings

    _check_can_ask(target, yes or only_plan)
    output, given = Output(as_json), _parse(assignments)
    settings = settings_for(load_settings(), target)
    try:
        if only_plan:
            _show_plan(output, *plan_stacks(settings, given, note=output.note))
            return
        with StackProgress(output) as progress:
            done = deploy_stacks(
                settings,
                given,
                approve=lambda changes: _approve(output, changes, yes or target == "local"),
                note=output.note,
                report=progress,
            )
    except ParameterError as error:
        raise click.UsageError(error.happened) from error
    _show_deployed(output, done)


@click.command()
@target_option
@yes_option
@json_option
def destroy(target: str, yes: bool, as_json: bool) -> None:
    """Delete the stacks; buckets and tables stay, with what they hold.

    It names what goes and what stays, and asks. The stack bootstrap stays too: its key encrypts what stays.
    `nearcast deploy` finds the data again.

    \b
    Examples:
      nearcast destroy
      NEARCAST_HOME=.nearcast-aws nearcast destroy --target aws
      NEARCAST_HOME=.nearcast-aws nearcast destroy --target aws --yes --json
    """
    from nearcast.commands.stack_progress import StackProgress
    from nearcast.deploy import destroy as destroy_stacks
    from nearcast.deploy.target import settings_for
    from nearcast.output import Output
    from nearcast.settings import load_settings

    _check_can_ask("aws", yes)
    output = Output(as_json)
    settings = settings_for(load_settings(), target)

    def approve(found: list[Doomed]) -> bool:
        _show_doomed(output, found)
        said = settings.environment
        if not yes:
            said = click.prompt(f"To delete it, type the environment's name ({said})", err=True)
        return bool(said == settings.environment)

    with StackProgress(output) as progress:
        found = destroy_stacks(settings, approve=approve, note=output.note, report=progress)
    _show_destroyed(output, settings.environment, found)


def _check_can_ask(target: str, approved: bool) -> None:
    if target == "aws" and not approved and not sys.stdin.isatty():
        raise click.UsageError(
            "Standard input is no terminal, so you cannot be asked: give --yes to approve."
        )


def _parse(assignments: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--set takes NAME=VALUE, not {assignment!r}.")
        given[name] = value
    return given


def _approve(output: Output, change_set: ChangeSet, approved: bool) -> bool:
    _show_changes(output, change_set.stack, change_set.changes)
    return approved or click.confirm("Make these changes?", err=True)


def _show_changes(output: Output, stack: str, changes: Any) -> None:
    from rich.text import Text

    from nearcast.deploy.change_sets import counted

    output.note(f"{stack}: {counted(len(changes)) if changes else 'unchanged'}")
    width = max((len(one.resource) for one in changes), default=0)
    for one in changes:
        replaced = {"True": "replaced", "Conditional": "perhaps replaced"}.get(one.replacement, "")
        line = Text(
            f"  {one.action:<8}{one.resource:<{width + 2}}{one.type}  {'' if one.warning else replaced}"
        )
        output.people.print(line.append(one.warning, style="bold red"), soft_wrap=True)


def _show_plan(output: Output, planned: list[Planned], left_out: dict[str, str]) -> None:
    def render(_: Any) -> None:
        for one in planned:
            if one.why_not:
                output.note(
                    f"{one.stack} cannot be planned yet: {one.why_not}. By its template it would have:"
                )
            _show_changes(output, one.stack, one.changes)
        _show_left_out(output, left_out)
        output.note("Nothing was changed.")

    document = {
        "plan": [
            {
                "stack": one.stack,
                "why_not": one.why_not,
                "changes": [_change(change) for change in one.changes],
            }
            for one in planned
        ],
        "left_out": left_out,
    }
    output.result(document, render)


def _change(change: Any) -> dict[str, Any]:
    names = ("action", "resource", "type", "replacement", "warning")
    return {name: getattr(change, name) for name in names}


def _show_left_out(output: Output, left_out: dict[str, str]) -> None:
    for layer, why in left_out.items():
        output.note(f"{layer} is left out: {why}")


def _show_deployed(output: Output, done: Deployed) -> None:
    def render(_: Any) -> None:
        rows = [(one.name, one.status, "changed" if one.changed else "unchanged") for one in done.stacks]
        output.table("Stacks", ["name", "status", ""], rows)
        output.table("Outputs", ["name", "value"], sorted(done.outputs.items()))
        if done.only_checked:
            checked = [(one.resource, one.type, one.reason) for one in done.only_checked]
            output.table("Only checked, not run", ["resource", "type", "reason"], checked)
        _show_left_out(output, done.left_out)

    document = {
        "stacks": [{"name": s.name, "status": s.status, "changed": s.changed} for s in done.stacks],
        "outputs": done.outputs,
        "only_checked": [vars(one) for one in done.only_checked],
        "left_out": done.left_out,
    }
    output.result(document, render)


def _show_doomed(output: Output, found: list[Doomed]) -> None:
    for stack in found:
        output.note(f"{stack.name} goes, with {len(stack.removed)} resources: {', '.join(stack.removed)}")
        for one in stack.kept:
            output.note(f"  stays: {one.type} {one.name}{f' ({one.holds})' if one.holds else ''}")


def _show_destroyed(output: Output, environment: str, found: list[Doomed]) -> None:
    from nearcast.deploy.destruction import HOW_TO_REMOVE, cost_of_keeping

    kept = [one for stack in found for one in stack.kept]

    def render(_: Any) -> None:
        if not found:
            output.note(f"Nothing is left to destroy of the environment {environment}.")
            return
        output.note(f"Destroyed {', '.join(stack.name for stack in found)}.")
        output.note(f"nearcast-{environment}-bootstrap stays, with the key and the artifacts.")
        for one in kept:
            output.note(f"  {one.name}: {cost_of_keeping(one.type)}")
            output.note(f"    to remove it: {HOW_TO_REMOVE[one.type].format(name=one.name)}")
        last = HOW_TO_REMOVE["AWS::CloudFormation::Stack"].format(name=f"nearcast-{environment}-bootstrap")
        output.note(
            f"  the key: {cost_of_keeping('AWS::KMS::Key')}. When no data is left that it encrypts:\n    {last}"
        )

    document = {
        "destroyed": [stack.name for stack in found],
        "kept": [{"type": one.type, "name": one.name, "holds": one.holds} for one in kept],
    }
    output.result(document, render)
