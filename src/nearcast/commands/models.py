"""`nearcast models …`: the versions in the registry, and who is champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.promotion import Decision
    from nearcast.output import Output
    from nearcast.settings import Settings

RECIPE = click.option(
    "--recipe", "recipe_name", default="quantile", show_default=True, help="Whose models; each has its own."
)


@click.group()
def models() -> None:
    """The trained models: listed, compared on days that neither learned from, promoted, rolled back.

    `nearcast train` promotes by itself what is better. The forecaster takes a new champion within seconds.

    \b
    Examples:
      nearcast models list
      nearcast models compare
      nearcast models rollback
    """


@models.command("list")
@RECIPE
@json_option
def list_models(recipe_name: str, as_json: bool) -> None:
    """Show every version, the newest first: its aliases, its training, and why it was promoted or not.

    \b
    Examples:
      nearcast models list
      nearcast models list --json | jq '.models[] | select(.aliases | index("champion"))'
    """
    from nearcast.forecast.registry import aliases, versions
    from nearcast.forecast.tracking import answering, connect

    output, settings, model = _start(as_json, recipe_name)
    with answering(settings):
        client = connect(settings)
        named = aliases(client, model)
        documents = [
            _document(version, named.get(str(version.version), [])) for version in versions(client, model)
        ]

    def render(_: Any) -> None:
        if documents:
            columns = ("version", "aliases", "trained until", "parameters", "ratio to the champion's loss")
            output.table(model, columns, map(_row, documents))
            for one in documents:
                if one["reason"]:
                    output.stdout.print(f"version {one['version']}: {one['decision']}, {one['reason']}")
        else:
            output.note(f"There is no version of {model}. Run `nearcast train`.")

    output.result({"models": documents}, render)


@models.command()
@click.argument("version", required=False)
@RECIPE
@json_option
def compare(version: str | None, recipe_name: str, as_json: bool) -> None:
    """Compare VERSION (default: the challenger) with the champion on the lake's newest prices; change nothing.

    Both forecast every day since the later end of their trainings. The longer a version waits, the more days
    there are.

    \b
    Examples:
      nearcast models compare
      nearcast models compare 7 --json
    """
    from dataclasses import asdict

    from nearcast.forecast.champions import judge

    output, settings, model = _start(as_json, recipe_name)
    decision = judge(settings, model, version or _challenger(settings, model), _newest_bars(settings))
    output.result(asdict(decision), lambda _: _render(output, model, decision))


@models.command()
@click.argument("version")
@click.option("--force", is_flag=True, help="Without a comparison; needs --reason.")
@click.option("--reason", metavar="TEXT", help="Why it is forced; kept with the version.")
@RECIPE
@json_option
def promote(version: str, force: bool, reason: str | None, recipe_name: str, as_json: bool) -> None:
    """Make VERSION the champion if it is better than the champion on the lake's newest prices.

    Better: its pinball loss is smaller with the whole 95 % interval of the ratio; or the interval holds 1 and it
    has at least a tenth fewer parameters. At least 60 days that neither learned from are needed.

    \b
    Examples:
      nearcast models promote 7
      nearcast models promote 7 --force --reason "the champion was trained on wrong prices"
    """
    from dataclasses import asdict

    from nearcast.errors import ForecastError
    from nearcast.forecast.champions import promote_anyway, promote_if_better

    if force != bool(reason and reason.strip()):
        raise click.UsageError("--force and --reason go together.")
    output, settings, model = _start(as_json, recipe_name)
    if force:
        decision = promote_anyway(settings, model, version, str(reason).strip())
    else:
        decision = promote_if_better(settings, model, version, _newest_bars(settings))
    if decision.decision == "challenger":
        raise ForecastError(
            f"Version {version} was not promoted: {decision.reason}.",
            kept=f"Version {decision.champion} is the champion.",
            todo="Wait for more days, or promote it all the same with --force and --reason.",
        )
    output.result(asdict(decision), lambda _: _render(output, model, decision))


@models.command()
@RECIPE
@json_option
def rollback(recipe_name: str, as_json: bool) -> None:
    """Make the champion before this one the champion again; once more goes back one further.

    What was rolled back is not promoted again by itself; `nearcast models promote` takes any version.

    \b
    Example:
      nearcast models rollback
    """
    from dataclasses import asdict

    from nearcast.forecast.champions import roll_back

    output, settings, model = _start(as_json, recipe_name)
    done = roll_back(settings, model)
    said = f"{model}: version {done.champion} is champion again, in place of version {done.replaced}."
    output.result(asdict(done), lambda out: out.print(said))


def _start(as_json: bool, recipe_name: str) -> tuple[Output, Settings, str]:
    """Return where to print, the settings, and the name of the registered model."""
    from nearcast.forecast.recipes import recipe_named
    from nearcast.forecast.registry import registered_model
    from nearcast.output import Output
    from nearcast.settings import load_settings

    return Output(as_json), load_settings(), registered_model(recipe_named(recipe_name).name)


def _challenger(settings: Settings, model: str) -> str:
    from nearcast.errors import ForecastError
    from nearcast.forecast.registry import CHALLENGER_ALIAS, aliased
    from nearcast.forecast.tracking import answering, connect

    with answering(settings):
        challenger = aliased(connect(settings), model, CHALLENGER_ALIAS)
    if challenger is None:
        raise ForecastError(
            f"{model} has no challenger.", todo="Train one with `nearcast train`, or name a version."
        )
    return str(challenger.version)


def _newest_bars(settings: Settings) -> pd.DataFrame:
    """Return the bars of every symbol as of the lake's newest commit."""
    from nearcast.forecast.bars import read_bars
    from nearcast.lake.sync import sync

    sync(settings)
    return read_bars(settings)


def _document(version: Any, aliases: list[str]) -> dict[str, Any]:
    """Return what is known of a version; numbers as numbers."""
    tags = version.tags
    numbers = {name: float(tags[name]) if name in tags else None for name in ("ratio", "low", "high", "days")}
    return {
        "version": str(version.version),
        "aliases": aliases,
        "run_id": version.run_id,
        "created_at": version.creation_timestamp / 1000,
        "trained_until": tags.get("trained_until"),
        "complexity": int(tags["complexity"]) if "complexity" in tags else None,
        "decision": tags.get("decision"),
        "reason": tags.get("reason"),
        "champion": tags.get("champion"),
        **numbers,
        "rolled_back_at": tags.get("rolled_back_at"),
    }


def _row(one: dict[str, Any]) -> list[Any]:
    """Return a version as a row of the table."""
    compared = one["ratio"] is not None
    ratio = f"{one['ratio']:.4f} ({one['low']:.4f} to {one['high']:.4f})" if compared else None
    return [one["version"], ", ".join(one["aliases"]), one["trained_until"], one["complexity"], ratio]


def _render(output: Output, model: str, decision: Decision) -> None:
    output.stdout.print(f"{model}, version {decision.version}: {decision.decision}, {decision.reason}")
