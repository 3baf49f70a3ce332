"""`nearcast deploy`: the CloudFormation stacks."""

from __future__ import annotations

import click

from nearcast.cli import json_option


@click.command()
@click.option(
    "--target", type=click.Choice(["local"]), default="local", show_default=True, help="Where to deploy."
)
@json_option
def deploy(target: str, as_json: bool) -> None:
    """Create or update the stacks (stream, lake) from infrastructure/.

    `nearcast up` does this too; run it after you changed a template, the Lambda or the Hudi job.

    \b
    Example:
      nearcast deploy --target local
    """
    from nearcast.deploy import deploy as deploy_stacks
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    stacks = deploy_stacks(load_settings(), target, output.note)
    rows = [(stack.name, stack.status, "changed" if stack.changed else "unchanged") for stack in stacks]
    document = {"stacks": [{"name": s.name, "status": s.status, "changed": s.changed} for s in stacks]}
    output.result(document, lambda _: output.table("Stacks", ["name", "status", ""], rows))
