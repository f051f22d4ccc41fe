"""Workers die, sleep and compete; access comes and goes all the same, once."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.e2e.deployment import ADA, BOB, CAROL, Town, until

ROUNDS = 4
WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE usename = 'rotakey' AND wait_event_type = 'Lock'"


def test_a_worker_killed_before_the_end_leaves_it_to_the_next(town: Town) -> None:
    town.types(ADA, "request prod-db 2s because the worker will die")
    town.sees(ADA, "the worker will die", "You have *prod-db* until TIME.")
    until(town.quiet)
    grant = town.grant("the worker will die").id
    town.sandbox.worker.kill()
    until(lambda: not town.live(grant))
    assert town.members("orders_rw") == {"ada"}
    town.sandbox.worker.start()
    town.has("orders_rw", within=5)
    town.sees(ADA, "the worker will die", "Your *prod-db* ended TIME. Time is up.")


@contextmanager
def nothing_can_be_granted(town: Town) -> Iterator[None]:
    """In PostgreSQL: whoever tries waits for the lock."""
    with town.administrator() as session, session.transaction():
        session.execute("LOCK TABLE pg_auth_members IN SHARE MODE")
        yield


def test_a_worker_that_slept_while_it_gave_spoils_nothing(town: Town) -> None:
    sleeper = town.sandbox.worker
    with town.administrator() as eye:
        with nothing_can_be_granted(town):
            town.types(ADA, "request prod-db 1h because the worker sleeps")
            until(lambda: eye.execute(WAITS_FOR_A_LOCK).fetchone())
            os.killpg(sleeper.pid, signal.SIGSTOP)
        with town.also("worker"):
            town.sees(ADA, "the worker sleeps", "You have *prod-db* until TIME.")
            town.types(ADA, "done prod-db")
            town.has("orders_rw")
            os.killpg(sleeper.pid, signal.SIGCONT)
            town.sees(ADA, "the worker sleeps", "Your *prod-db* ended TIME. Given back.")
    town.types(ADA, "request workbench 1h because it is awake again")
    town.has("scratch", "ada")
    until(lambda: not town.owed("hold:", within=60))
    assert town.members("orders_rw") == set()


def test_two_workers_give_each_access_once_and_take_it_once(town: Town) -> None:
    def comes_and_goes(who: str) -> list[str]:
        grants = []
        for number in range(ROUNDS):
            reason = f"of round {number} of {who}"
            town.types(who, f"request workbench 1h because {reason}")
            grants.append(town.grant(reason).id)
            town.sees(who, reason, "You have *workbench* until TIME.")
            town.types(who, "done workbench")
            town.sees(who, reason, "Your *workbench* ended TIME. Given back.")
        return grants

    with town.also("worker"), ThreadPoolExecutor() as crowd:
        grants = [each for mine in crowd.map(comes_and_goes, (ADA, BOB, CAROL)) for each in mine]
    for grant in grants:
        assert town.audit(grant) == ["approved", "given", "active", "ending", "taken", "ended"]
    assert town.members("scratch") == set()
