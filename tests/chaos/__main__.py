"""Break everything at random, and show that no access outlives its reason: ``make chaos``.

``--break`` runs a design that is known to be wrong: there must be violations.
"""

from __future__ import annotations

import secrets
import signal
import sys

import click

from tests.chaos.administrator import OPTIONAL
from tests.chaos.broken import DESIGNS
from tests.chaos.report import details_of, table
from tests.chaos.round import Round, Settings


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", type=int, help="Seed of all that is drawn; a new one each time, and printed.")
@click.option("--grants", default=3_000, show_default=True, help="Grants to request, at least.")
@click.option("--kills", default=100, show_default=True, help="Kills, at least.")
@click.option("--rate", default=4.0, show_default=True, help="Requests a second.")
@click.option("--pace", default=3.0, show_default=True, help="Seconds between faults.")
@click.option("--rest", default=15.0, show_default=True, help="Seconds without faults after each dozen.")
@click.option("--longest", default=20, show_default=True, help="Seconds of the longest grant.")
@click.option("--hang", default=150.0, show_default=True, help="Seconds that a target hangs, at most.")
@click.option(
    "--without", multiple=True, type=click.Choice(OPTIONAL), help="Leave this fault out; may be repeated."
)
@click.option(
    "--copies/--no-copies",
    default=True,
    show_default=True,
    help="Wait until a replica has what leads to access.",
)
@click.option("--keep", is_flag=True, help="Keep the logs and details even without violations.")
@click.option(
    "--every-step/--any-step",
    default=None,
    help="Go on until each named step was reached, as is the default without --break.",
)
@click.option("--patience", default=400.0, show_default=True, help="Seconds to come to rest at the end.")
@click.option("--break", "design", type=click.Choice(sorted(DESIGNS)), help="Run this broken design.")
def main(
    seed: int | None,
    design: str | None,
    every_step: bool | None,
    without: tuple[str, ...],
    **settings: float,
) -> None:
    every_step = design is None if every_step is None else every_step
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    print(f"seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = Settings(seed=seed, every_step=every_step, design=design, without=frozenset(without), **settings)  # type: ignore[arg-type]  # by name
    outcome = Round(wanted, say=lambda text: print(text, flush=True)).run()
    for row in table(outcome):
        print(row)
    if outcome.folder.exists():
        print(f"\n{details_of(outcome)}")
    sys.exit(bool(outcome.violations))


main()
