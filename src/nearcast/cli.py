"""The command line. Commands import what they need when they run, so that ``--help`` answers at once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from nearcast.errors import NearcastError

COMMANDS = {
    "demo": "nearcast.commands.demo:demo",
    "up": "nearcast.commands.services:up",
    "down": "nearcast.commands.services:down",
    "status": "nearcast.commands.services:status",
    "deploy": "nearcast.commands.deploy:deploy",
    "destroy": "nearcast.commands.deploy:destroy",
    "load": "nearcast.commands.source:load",
    "delete": "nearcast.commands.source:delete",
    "publish": "nearcast.commands.source:publish",
    "lake": "nearcast.commands.lake:lake",
    "train": "nearcast.commands.train:train",
    "models": "nearcast.commands.models:models",
    "tune": "nearcast.commands.train:tune",
    "forecast": "nearcast.commands.forecast:forecast",
    "backtest": "nearcast.commands.backtest:backtest",
    "score": "nearcast.commands.score:score",
    "bench": "nearcast.commands.bench:bench",
    "cost": "nearcast.commands.cost:cost",
}
"""Every command, in the order of a price's path, with the module and function that hold it."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the command ``name``."""
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nearcast")
def cli() -> None:
    """Stock prices, from PostgreSQL through a change-data-capture lakehouse to an honest forecast.

    \b
    Examples:
      nearcast demo                      the whole path on real prices
      nearcast up                        start the local services
      nearcast load prices.csv --symbol NFLX
      nearcast lake query "SELECT count(*) FROM prices"
    """


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json``: one JSON document on stdout and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def main() -> None:
    """Run the command line; expected failures end with 1 and no traceback."""
    try:
        from nearcast.log import configure

        configure()
        # Without standalone mode click returns the code of an Exit instead of ending the process.
        sys.exit(cli(standalone_mode=False) or 0)
    except NearcastError as error:
        _fail(error)
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        expected = _expected(error)
        if expected is None:
            raise
        _fail(expected)


def _fail(error: NearcastError) -> NoReturn:
    from nearcast.output import Output

    Output("--json" in sys.argv).error(error)
    sys.exit(1)


def _expected(error: Exception) -> NearcastError | None:
    """Return what users read of a failure that any command may meet; None when it is a bug of ours."""
    if type(error).__module__.startswith("botocore."):
        from nearcast.aws_errors import explain_exception

        if explained := explain_exception(error):
            return NearcastError(explained[0], kept="What had been done stays.", todo=explained[1])
        return NearcastError(
            f"AWS, or the local gateway, did not answer as expected: {error}",
            kept="What had been done stays.",
            todo="See `nearcast status`; start the local services with `nearcast up`, then try again.",
        )
    if type(error).__name__ == "ValidationError" and getattr(error, "title", "") == "Settings":
        return NearcastError(
            f"A setting is wrong: {error}", todo="Correct it in the environment or in the home."
        )
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        return NearcastError(f"{error}.", todo="Correct AWS_ENDPOINT_URL, or unset it.")
    if isinstance(error, OSError):
        return NearcastError(
            f"{type(error).__name__}: {error}", todo="Check NEARCAST_HOME and the files you named."
        )
    return None
