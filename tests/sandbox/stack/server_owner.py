"""A process that starts both servers, and then is killed or ends without stopping them.

``server_owner.py FOLDER [without-death-signal]`` prints their pids once the threads that started them have
ended; then it waits for the end of its input.
"""

import signal
import sys
import threading
from pathlib import Path

from bot.sandbox.stack.servers import Postgres, Valkey


def main(folder: str, how: str = "") -> None:
    servers = [Valkey(Path(folder) / "valkey"), Postgres(Path(folder) / "postgres", fsync=False)]
    if how == "without-death-signal":
        for kind in (Valkey, Postgres):
            kind.death_signal = signal.Signals(signal.SIGCONT)  # which ends nobody
    for server in servers:
        starter = threading.Thread(target=server.start)
        starter.start()
        starter.join()
    print(*(server.pid for server in servers), flush=True)  # noqa: T201 -- for the one who ends us
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
