"""All workers are dead, and ``rotakey sweep`` from cron revokes what is past its end."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bot.sandbox.stack.bot_process import KEPT, ROOT
from bot.testing.polling import until
from tests.e2e.rig import ADA, Rig

NEEDED = ("REDIS_URL", "ACCESS_FILE", "ORDERS_DB_URL")
DUE = "rotakey:{main}:due:hold:orders-db"
HOLD = "orders_rw on orders-db for ada"


class Swept:
    """``rotakey sweep --once``, without any of Slack's variables."""

    def __init__(self, rig: Rig, *options: str, **environ: str) -> None:
        known = {**rig.sandbox.environ, **environ}
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        ended = subprocess.run(
            [sys.executable, "-m", "bot", "sweep", *options],
            cwd=ROOT,
            env={**kept, **{name: known[name] for name in NEEDED if known[name]}},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.code, self.said, self.complained = ended.returncode, ended.stdout, ended.stderr


def test_what_ended_while_no_worker_ran_is_taken_also_where_the_due_set_is_lost(rig: Rig) -> None:
    rig.types(ADA, "request prod-db 2s because nobody will work")
    rig.sees(ADA, "nobody will work", "You have *prod-db* until TIME.")
    until(rig.quiet)
    grant = rig.grant("nobody will work").id
    owed: Any = rig.sandbox.redis.zrange(DUE, 0, -1, withscores=True)
    rig.sandbox.worker.kill()
    until(lambda: not rig.live(grant))
    rig.sandbox.redis.delete(DUE)
    try:
        blind = Swept(rig, "--once", ORDERS_DB_URL="")
        assert (blind.code, rig.members("orders_rw")) == (1, {"ada"})
        assert "targets.orders-db.url: the variable ORDERS_DB_URL is not set" in blind.complained
        assert f"STILL THERE {HOLD}" in blind.said
        once = Swept(rig, "--once")
        assert (once.code, once.complained) == (0, "")
        assert once.said.startswith(f"revoked: {HOLD}, ")
        assert rig.members("orders_rw") == set()
    finally:
        rig.sandbox.redis.zadd(DUE, dict(owed))
        rig.sandbox.worker.start()
    rig.sees(ADA, "nobody will work", "Your *prod-db* ended TIME: time is up.")
    assert rig.audit(grant)[-3:] == ["ending", "taken", "ended"]
    swept = [each for each in rig.entries() if each.what == "swept"]
    assert [(each.by, each.facts["counts"]) for each in swept] == [
        ("rotakey sweep", [0, 1]),
        ("rotakey sweep", [1, 0]),
    ]


def test_a_redis_without_a_bot_is_not_taken_for_one_where_all_is_well(rig: Rig, tmp_path: Path) -> None:
    elsewhere = tmp_path / "access.yaml"
    elsewhere.write_text("workspace: elsewhere\n")
    lost = Swept(rig, "--once", ACCESS_FILE=str(elsewhere))
    assert (lost.code, lost.said) == (1, "")
    assert lost.complained.startswith("no bot has ever used workspace elsewhere in this Redis: ")
