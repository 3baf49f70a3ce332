"""``nearcast cost``."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option

if TYPE_CHECKING:
    from nearcast.cost.bill import Estimate, Modes
    from nearcast.output import Output

NOT_INCLUDED = (
    "Not in it: PostgreSQL (RDS or elsewhere), data transfer, taxes, free allowances, savings plans."
    " QuickSight and MWAA are in it when asked for (--authors, --readers, --mwaa)."
)


class FiniteRange(click.FloatRange):
    """A range of numbers without NaN and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail as a usage error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


@click.command()
@click.option(
    "--rows-per-second", type=FiniteRange(0), required=True, metavar="N", help="While rows arrive; 0: idle."
)
@click.option(
    "--hours-per-day",
    type=FiniteRange(0, 24, min_open=True),
    default=24.0,
    metavar="H",
    help="Hours in which rows arrive; an exchange is open for 6.5. [24]",
)
@click.option(
    "--days-per-month",
    type=FiniteRange(0, 31, min_open=True),
    default=365 / 12,
    metavar="D",
    help="Days on which they do; 21 are trading days. [all, 30.4]",
)
@click.option(
    "--symbols",
    type=click.IntRange(1),
    default=500,
    metavar="N",
    help="Symbols that the rows are spread over. [500]",
)
@click.option(
    "--partitions",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Months that rows of one moment belong to; more than 1 for a history out of order. [1]",
)
@click.option(
    "--months-stored",
    type=FiniteRange(0),
    default=12.0,
    metavar="N",
    help="Months like this one whose rows are kept. [12]",
)
@click.option(
    "--job-minutes",
    type=FiniteRange(1, 1440),
    metavar="N",
    help="Minutes from one start of the Hudi job to the next. [the longest of 60, 30, 15, 10, 5 that copes]",
)
@click.option(
    "--crawl-hours",
    type=FiniteRange(0.1, 744),
    default=24.0,
    metavar="N",
    help="Hours from one crawl to the next. [24]",
)
@click.option(
    "--queries-per-day",
    type=FiniteRange(0),
    default=50.0,
    metavar="N",
    help="Athena's, each of the whole Hudi table. [50]",
)
@click.option("--authors", type=click.IntRange(0), default=0, metavar="N", help="QuickSight's authors. [0]")
@click.option("--readers", type=click.IntRange(0), default=0, metavar="N", help="QuickSight's readers. [0]")
@click.option("--mwaa", is_flag=True, help="With a small MWAA environment for Airflow.")
@json_option
def cost(as_json: bool, **asked: Any) -> None:
    """Estimate what the system costs in an AWS account: settings and US dollars a month of each part.

    Arithmetic on AWS's published prices and limits, with the sizes of real records and what was measured of the
    job. Of on-demand and provisioned capacity the cheaper is taken. Needs no account, no network and no service.

    \b
    Examples:
      nearcast cost --rows-per-second 1
      nearcast cost --rows-per-second 500 --hours-per-day 6.5 --days-per-month 21
      nearcast cost --rows-per-second 0                    what it costs while idle
      nearcast cost --rows-per-second 5000 --symbols 50 --json
    """
    from nearcast.cost.estimate import estimate
    from nearcast.cost.workload import Workload
    from nearcast.output import Output

    output, workload = Output(as_json), Workload(**asked)
    made = estimate(workload)
    output.result({"workload": asdict(workload), **made.document()}, lambda _: _render(output, made))


def _render(output: Output, made: Estimate) -> None:
    output.table(
        f"US dollars a month, {made.region}, prices of {made.compiled}",
        ("part", "settings", "USD"),
        [(part.name, part.settings, f"{part.usd:,.2f}") for part in made.parts]
        + [("total", "", f"{made.usd:,.2f}")],
    )
    output.table(
        "Positions of a cent and more",
        ("part", "units a month", "price", "USD"),
        (
            (part.name, f"{amount(line.quantity)} {line.unit}", line.price, f"{line.usd:,.2f}")
            for part in made.parts
            for line in part.lines
            if line.usd >= 0.005
        ),
    )
    for part in made.parts:
        if part.modes:
            output.note(comparison(part.name, part.modes))
        for stop in part.stops:
            output.note(f"{part.name} stops here: {stop.reason} Change: {stop.change}")
    output.note(NOT_INCLUDED)


def amount(quantity: float) -> str:
    """Return a number with three digits or all of its integer part."""
    return f"{quantity:,.0f}" if quantity >= 100 else f"{quantity:.3g}"


def comparison(part: str, modes: Modes) -> str:
    """Say what both modes of a part's capacity cost, and from which hours a day on provisioned is cheaper."""
    said = (
        f"{part}'s capacity: {modes.on_demand_usd:,.2f} on demand, {modes.provisioned_usd:,.2f} provisioned"
    )
    hours = modes.even_at_hours_per_day
    if hours is None:
        return f"{said}."
    return (
        f"{said}; even at {hours:.1f} hours a day."
        if hours <= 24
        else f"{said}; on demand is always cheaper."
    )
