"""Target addresses are stored with the policy in force: a process with another address grants nothing
there."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bot.core.errors import TemporaryFailure
from bot.core.holds import Presence, Receipt
from bot.ports.deadline import Deadline
from bot.ports.target import Target
from bot.slack.wording.reasons import refusal
from bot.testing.cast import ADA, BOB
from tests.wiring.scene import ADAS, BILLS, GONE, MOVED, NEW, OLD, ROLE, TEXT, Process, Scene

MISLED = {"OLD_URL": "postgresql://elsewhere/orders"}
THERE = MISLED["OLD_URL"]


def soon() -> Deadline:
    return Deadline.after(1)


def target(process: Process, name: str = "orders-db") -> Target:
    process.context.catalog()
    return process.adapters.target(name)


def test_the_first_process_to_know_them_writes_digests_of_all_addresses(scene: Scene) -> None:
    scene.started()
    assert set(scene.force().reached) == {"orders-db", "bills-db"}
    assert "old" not in str(scene.force())


def test_who_reaches_it_elsewhere_grants_nothing_there_and_names_the_variable(
    scene: Scene,
) -> None:
    scene.started()
    misled = scene.started(**MISLED)
    there = target(misled)
    why = (
        "orders-db has a different address here than in the policy in force, because of OLD_URL: set it as"
        " in the other processes; or, if the target has moved, set it everywhere and run rotakey policy"
        " apply FILE"
    )
    for attempt in (
        lambda: there.prepare(ADAS, soon()),
        lambda: there.grant(ADAS, (Receipt(system=OLD),), None, soon()),
        lambda: there.ready(ADAS, soon()),
        lambda: there.holders(ROLE, soon()),
    ):
        with pytest.raises(TemporaryFailure) as refused:
            attempt()
        assert str(refused.value) == why
    target(misled, "bills-db").prepare(BILLS, soon())


def test_it_revokes_only_what_the_receipts_identify_on_that_system(scene: Scene) -> None:
    scene.started()
    there = target(scene.started(**MISLED))
    for receipts in ((), (Receipt(system=OLD),)):
        with pytest.raises(TemporaryFailure):
            there.revoke(ADAS, receipts, soon())
    assert scene.servers[THERE].revoked == []
    seen = there.has(ADAS, (Receipt(system=OLD),), soon())
    assert (seen.presence, seen.system) == (Presence.ELSEWHERE, None)
    assert "because of OLD_URL" in str(seen.why)
    with pytest.raises(TemporaryFailure):
        there.has(ADAS, (), soon())
    there.revoke(ADAS, (Receipt(system=THERE),), soon())
    assert scene.servers[THERE].revoked == ["ada@example.com"]


def test_the_log_and_security_hear_it_once_and_of_a_process_that_starts_later_again(scene: Scene) -> None:
    scene.started()
    with capture_logs() as logs:
        misled = scene.started(**MISLED)
        for _ in range(3):
            misled.context.catalog()
    [note] = scene.notes_in()
    assert refusal(note.reason) == (
        "A process reaches orders-db at another address than the one in force, because of OLD_URL. It grants"
        " nothing there. Set OLD_URL there as it is elsewhere. If the target has moved, set it everywhere and"
        " run `rotakey policy apply FILE` with it."
    )
    assert [each["event"] for each in logs] == ["nothing granted at a target"]
    scene.started(**MISLED).context.catalog()
    assert len(scene.notes_in()) == 1, "a moment later, of the same"
    scene.ledger.advance(600)
    scene.applied()
    misled.context.catalog()
    assert len(scene.notes_in()) == 1, "the same process, under the same version"
    scene.started(**MISLED).context.catalog()
    assert len(scene.notes_in()) == 2


def test_a_person_says_that_it_has_moved(scene: Scene) -> None:
    before = scene.started()
    moved = scene.applied(**MISLED)
    target(moved).prepare(ADAS, soon())
    with pytest.raises(TemporaryFailure, match="because of OLD_URL"):
        target(before).prepare(ADAS, soon())


def test_a_web_process_starts_and_decides_without_any_address(scene: Scene) -> None:
    web = scene.web()
    assert scene.force().reached == {}
    web.approve(BOB, web.ask(ADA).standing.grant.id)
    worker = scene.started()
    target(worker).prepare(ADAS, soon())
    assert set(scene.force().reached) == {"orders-db", "bills-db"}
    assert scene.notes_in() == []


def test_a_worker_learns_what_the_web_process_could_not_know(scene: Scene) -> None:
    worker = scene.started()
    worker.context.catalog()
    scene.web(TEXT + "# by a web process\n")
    target(worker).prepare(ADAS, soon())
    assert set(scene.force().reached) == {"orders-db", "bills-db"}
    scene.web(MOVED)
    assert set(scene.force().reached) == {"bills-db"}, "orders-db has moved, nobody knows where to"
    worker.context.catalog()
    worker.context.catalog()
    assert "addresses of targets recorded" in scene.history()
    target(worker).prepare(ADAS, soon())
    assert NEW in scene.servers


def test_applying_it_without_the_variables_forgets_no_address(scene: Scene) -> None:
    scene.started()
    known = scene.force().reached
    scene.web().apply()
    assert scene.force().reached == known


def test_a_target_that_left_has_no_address_any_more(scene: Scene) -> None:
    scene.started()
    scene.started(GONE)
    assert set(scene.force().reached) == {"bills-db"}
