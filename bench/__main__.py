"""Measure the promises on this machine and print them beside what was promised: ``make bench``.

Web and worker run as processes of their own on a real Valkey and a real PostgreSQL; Slack is the
sandbox's workspace, which answers at once. Nothing passes or fails here. Names of measures as
arguments (asks ends worker shifts acks starts) limit it to those.
"""

import sys

from bench import measures
from bench.table import Row

MEASURES = {
    "asks": measures.asks,
    "ends": measures.ends,
    "worker": measures.worker_away,
    "shifts": measures.shifts,
    "acks": measures.acks,
    "starts": measures.starts,
}


def main() -> None:
    wanted = sys.argv[1:] or list(MEASURES)
    print(Row.head())
    for name in wanted:
        for row in MEASURES[name]():
            print(row, flush=True)


main()
