"""Break everything at random and show that no access outlives its reason: ``make chaos``.

``--break`` runs a design that is known to lose: it must be found out.
"""

from __future__ import annotations

import secrets
import signal
import sys

import click

from tests.chaos.administrator import DRAWN
from tests.chaos.broken import DESIGNS
from tests.chaos.report import details_of, table
from tests.chaos.round import Round, Terms


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", type=int, help="Of all that is drawn; a new one each time, and printed.")
@click.option("--grants", default=3_000, show_default=True, help="So many are asked for at least.")
@click.option("--kills", default=100, show_default=True, help="So many kills there are at least.")
@click.option("--rate", default=4.0, show_default=True, help="Asks a second.")
@click.option("--pace", default=3.0, show_default=True, help="Seconds from fault to fault.")
@click.option("--rest", default=15.0, show_default=True, help="Seconds without any, after each dozen.")
@click.option("--longest", default=20, show_default=True, help="Seconds of the longest grant.")
@click.option("--hang", default=150.0, show_default=True, help="Seconds that a target hangs for at most.")
@click.option("--without", multiple=True, type=click.Choice(DRAWN), help="Leave this out; may be repeated.")
@click.option("--copies/--no-copies", default=True, show_default=True, help="Wait for a copy of Redis.")
@click.option("--keep", is_flag=True, help="Keep the logs and the details though nothing is wrong.")
@click.option(
    "--every-step/--any-step", default=None, help="Whether each named step is to be met; so by default."
)
@click.option("--patience", default=400.0, show_default=True, help="Seconds to come to rest at the end.")
@click.option("--break", "design", type=click.Choice(sorted(DESIGNS)), help="A design that is known to lose.")
def main(
    seed: int | None,
    design: str | None,
    every_step: bool | None,
    without: tuple[str, ...],
    **terms: float,
) -> None:
    every_step = design is None if every_step is None else every_step
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = Terms(seed=seed, every_step=every_step, design=design, without=frozenset(without), **terms)  # type: ignore[arg-type]  # by name
    outcome = Round(wanted, say=lambda text: print(text, flush=True)).play()
    for row in table(outcome):
        print(row)
    if outcome.folder.exists():
        print(f"\n{details_of(outcome)}")
    sys.exit(bool(outcome.violations))


main()
