"""Workers die, sleep and compete: access is still granted and revoked, once each."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bot.testing.polling import until
from tests.e2e.rig import ADA, BOB, CAROL, Rig

ROUNDS = 4
WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE usename = 'rotakey' AND wait_event_type = 'Lock'"


def test_a_worker_killed_before_the_end_leaves_it_to_the_next(rig: Rig) -> None:
    rig.types(ADA, "request prod-db 2s because the worker will die")
    rig.sees(ADA, "the worker will die", "You have *prod-db* until TIME.")
    until(rig.quiet)
    grant = rig.grant("the worker will die").id
    rig.sandbox.worker.kill()
    until(lambda: not rig.live(grant))
    assert rig.members("orders_rw") == {"ada"}
    rig.sandbox.worker.start()
    rig.has("orders_rw", within=5)
    rig.sees(ADA, "the worker will die", "Your *prod-db* ended TIME: time is up.")


@contextmanager
def nothing_can_be_granted(rig: Rig) -> Iterator[None]:
    """Hold a lock in PostgreSQL that every grant has to wait for."""
    with rig.administrator() as session, session.transaction():
        session.execute("LOCK TABLE pg_auth_members IN SHARE MODE")
        yield


def test_a_worker_that_slept_while_it_gave_spoils_nothing(rig: Rig) -> None:
    sleeper = rig.sandbox.worker
    with rig.administrator() as eye:
        with nothing_can_be_granted(rig):
            rig.types(ADA, "request prod-db 1h because the worker sleeps")
            until(lambda: eye.execute(WAITS_FOR_A_LOCK).fetchone())
            os.killpg(sleeper.pid, signal.SIGSTOP)
        with rig.also("worker"):
            rig.sees(ADA, "the worker sleeps", "You have *prod-db* until TIME.")
            rig.types(ADA, "done prod-db")
            rig.has("orders_rw")
            os.killpg(sleeper.pid, signal.SIGCONT)
            rig.sees(ADA, "the worker sleeps", "You gave *prod-db* back; it ended TIME.")
    rig.types(ADA, "request workbench 1h because it is awake again")
    rig.has("scratch", "ada")
    until(lambda: not rig.owed("hold:", within=60))
    assert rig.members("orders_rw") == set()


def test_two_workers_give_each_access_once_and_take_it_once(rig: Rig) -> None:
    def comes_and_goes(who: str) -> list[str]:
        grants = []
        for number in range(ROUNDS):
            reason = f"of round {number} of {who}"
            rig.types(who, f"request workbench 1h because {reason}")
            grants.append(rig.grant(reason).id)
            rig.sees(who, reason, "You have *workbench* until TIME.")
            rig.types(who, "done workbench")
            rig.sees(who, reason, "You gave *workbench* back; it ended TIME.")
        return grants

    with rig.also("worker"), ThreadPoolExecutor() as crowd:
        grants = [each for mine in crowd.map(comes_and_goes, (ADA, BOB, CAROL)) for each in mine]
    for grant in grants:
        assert rig.audit(grant) == ["approved", "given", "active", "ending", "taken", "ended"]
    assert rig.members("scratch") == set()
