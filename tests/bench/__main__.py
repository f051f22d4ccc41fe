"""Print what was measured on this machine beside what is promised: ``make bench``.

Web and worker run as processes of their own on a real Valkey and a real PostgreSQL; Slack is the sandbox's
workspace, which answers at once. Nothing passes or fails here. Names of measurements as arguments limit it to
those: ``make bench ARGS="load --live 10000 --ends 1000 --workers 1"``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from tests.bench import measures
from tests.bench.bytes import bytes_kept
from tests.bench.durable import durable
from tests.bench.load import Size, load
from tests.bench.memory import memory
from tests.bench.table import Row
from tests.bench.threads import Scale, threads

MEASURES: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "asks": lambda _: measures.asks(),
    "ends": lambda _: measures.ends(),
    "worker": lambda _: measures.worker_away(),
    "shifts": lambda _: measures.shifts(),
    "acks": lambda _: measures.acks(),
    "starts": lambda _: measures.starts(),
    "load": lambda a: load(Size(live=a.live, ends=a.ends, workers=a.workers, targets=a.targets, odd=a.odd)),
    "threads": lambda a: threads(Scale(ends=a.hanging)),
    "durable": lambda _: durable(),
    "bytes": lambda _: bytes_kept(),
    "memory": lambda a: memory(a.operations),
}


def main() -> None:
    wanted = _arguments()
    print(Row.head(), flush=True)
    for name in wanted.names or MEASURES:
        for row in MEASURES[name](wanted):
            print(row, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURES)}; all if none is named"
    )
    of_load = parser.add_argument_group("load")
    of_load.add_argument("--live", type=int, default=Size.live, help="leases that live on (%(default)s)")
    of_load.add_argument("--ends", type=int, default=Size.ends, help="leases that end (%(default)s)")
    of_load.add_argument("--workers", type=int, default=Size.workers, help="worker processes (%(default)s)")
    of_load.add_argument(
        "--targets", type=int, default=Size.targets, help="targets that the leases are for (%(default)s)"
    )
    of_load.add_argument(
        "--odd", type=int, default=Size.odd, help="percent of special cases among the ends (%(default)s)"
    )
    of_threads = parser.add_argument_group("threads")
    of_threads.add_argument(
        "--hanging", type=int, default=Scale.ends, help="leases that end at each target (%(default)s)"
    )
    of_memory = parser.add_argument_group("memory")
    of_memory.add_argument(
        "--operations", type=int, default=100_000, help="operations in total (%(default)s)"
    )
    found = parser.parse_args()
    unknown = [name for name in found.names if name not in MEASURES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(MEASURES)}")
    return found


main()
