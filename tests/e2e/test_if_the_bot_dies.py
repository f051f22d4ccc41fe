"""All processes of the bot are killed. What stays is what docs/targets.md says, and what ends it works."""

from __future__ import annotations

import time
from pathlib import Path

from click.testing import CliRunner

from bot.cli import rotakey
from bot.cli.sandbox import to_try
from bot.testing.polling import until
from tests.e2e.rig import ADA, BOB, DAN, Rig, rig_in

LENGTH = 4.0


def sweep(rig: Rig, *words: str, redis: bool) -> str:
    """Sweep as somebody on another machine would. Without Redis, it is as if that were lost, too."""
    environ = dict(rig.sandbox.environ)
    if not redis:
        del environ["REDIS_URL"]
    done = CliRunner(env=environ).invoke(rotakey, ["sweep", "--once", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_stays_is_ended_by_the_endpoint_itself_or_by_a_sweep(tmp_path: Path) -> None:
    with rig_in(tmp_path, to_try(kinds=["postgres", "webhook"])) as rig:
        members = rig.endpoint.members
        members.keeps_end = True
        rig.types(DAN, f"request deploy-admin {LENGTH:g}s because the endpoint ends it")
        rig.clicks(BOB, rig.card("C0DEPLOYS", "the endpoint ends it"), "approve")
        until(lambda: members.holders("admin") == {"dan@example.com"})
        members.keeps_end = False
        rig.types(ADA, f"request deploy-admin {LENGTH:g}s because it stays")
        rig.types(ADA, f"request prod-db {LENGTH:g}s because it stays, too")
        until(lambda: members.holders("admin") == {"dan@example.com", "ada@example.com"})
        rig.has("orders_rw", "ada")
        ends = time.monotonic() + LENGTH
        for each in rig.sandbox.deployment.processes:
            each.kill()

        until(lambda: members.holders("admin") == {"ada@example.com"} and time.monotonic() > ends)
        assert rig.members("orders_rw") == {"ada"}

        said = sweep(rig, "--from", str(rig.sandbox.data / "anchor.holds"), redis=False)
        assert "revoked: admin on deploy-hook for ada@example.com\n" in said
        assert members.holders("admin") == frozenset()
        assert rig.members("orders_rw") == {"ada"}

        sweep(rig, redis=True)
        assert rig.members("orders_rw") == set()
