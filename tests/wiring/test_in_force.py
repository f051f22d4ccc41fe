"""A starting process puts its policy in force only if Redis has never seen that version."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bot.core.catalog import version_of
from bot.core.errors import Refused, TemporaryFailure
from bot.core.reasons import Why, because
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyDoubt, PolicyInForce, PolicyText, PolicyVersion
from bot.slack.wording.reasons import refusal
from bot.testing.cast import ADA, BOB, DAN
from bot.usecases.enact import NOTICED_FOR
from tests.wiring.scene import ADAS, KEY, TEXT, Scene

V1, SECOND = version_of(TEXT), TEXT + "# the second\n"
V2 = version_of(SECOND)
ELSEWHERE = SECOND.replace("${OLD_URL}", "${ONLY_OTHERS_HAVE_IT}")


def in_force(scene: Scene) -> str:
    return scene.force().version


def test_a_process_that_restarts_with_an_old_file_does_not_put_it_in_force(scene: Scene) -> None:
    scene.started()
    scene.started(SECOND)
    late = scene.started()
    assert in_force(scene) == V2
    assert late.context.catalog().version == V2
    late.approve(BOB, late.ask(ADA).standing.grant.id)
    late.adapters.target("orders-db").prepare(ADAS, Deadline.after(1))


def test_it_says_so_at_once_and_once_with_the_command(scene: Scene) -> None:
    scene.started()
    scene.started(SECOND)
    with capture_logs() as logs:
        late = scene.started()
        for _ in range(3):
            late.start()
            late.context.catalog()
    [note] = scene.notes_in()
    assert refusal(note.reason) == (
        f"A process started with access.yaml version {V1}, but version {V2} is in force. I keep using {V2}. "
        f"If you want {V1}, run `rotakey policy apply FILE` with it. "
        "Otherwise start that process with the access.yaml that is in force."
    )
    assert [each["event"] for each in logs] == ["own access.yaml not in force"]
    assert scene.history().count("process differs") == 1


def test_processes_that_start_together_say_it_once_and_a_later_one_again(scene: Scene) -> None:
    scene.started()
    scene.started(SECOND)
    for _ in range(3):
        scene.started()
    assert len(scene.notes_in()) == 1
    scene.ledger.advance(NOTICED_FOR.total_seconds())
    scene.started()
    assert len(scene.notes_in()) == 2


def test_a_person_puts_an_old_file_back_in_force_and_may_do_so_twice(scene: Scene) -> None:
    scene.started()
    scene.started(SECOND)
    for _ in range(2):
        back = scene.applied()
        assert in_force(scene) == V1
        assert back.context.catalog().version == V1
    assert scene.notes_in() == []
    assert [each for each in scene.history() if each.startswith("policy")] == [
        *("policy in force", "policy in force", "policy in force", "policy applied", "policy applied")
    ]


def test_all_versions_are_remembered_for_ever_also_those_of_an_older_rotakey(scene: Scene) -> None:
    scene.put({Key.of(PolicyText, V1): PolicyText(text=TEXT)})
    scene.put({Key.of(PolicyInForce): PolicyInForce(version="of an older one")})
    scene.started(SECOND)
    scene.started()
    assert in_force(scene) == V2
    found = scene.ledger.read({Key.of(PolicyVersion, V2), Key.of(PolicyVersion, "of an older one")})
    assert len(found.all(PolicyVersion)) == 2


def test_of_a_policy_that_an_older_rotakey_put_in_force_it_becomes_known_since_when(scene: Scene) -> None:
    scene.put({Key.of(PolicyText, V1): PolicyText(text=TEXT)})
    scene.put({Key.of(PolicyInForce): PolicyInForce(version=V1)})
    scene.started()
    assert scene.force().since == scene.ledger.now
    assert not scene.force().applied


def test_if_redis_lost_which_one_is_in_force_a_start_with_an_old_file_decides_nothing(scene: Scene) -> None:
    running = scene.started()
    running.context.catalog()
    scene.put({Key.of(PolicyInForce): None})
    late = scene.started()
    with pytest.raises(TemporaryFailure, match="run rotakey policy apply FILE"):
        late.context.catalog()
    late.start()
    with pytest.raises(TemporaryFailure):
        late.context.catalog()
    [note] = scene.notes_in()
    assert note.reason.facts == {"file": V1}
    running.start()
    assert in_force(scene) == V1
    assert late.context.catalog().closed is None


def test_what_a_running_process_follows_does_not_replace_what_came_since(scene: Scene) -> None:
    running = scene.started()
    running.context.catalog()
    scene.started(SECOND)
    running.start()
    assert in_force(scene) == V2


def test_the_clock_may_be_set_back_between_two_policies(scene: Scene) -> None:
    scene.started()
    first = scene.force().since
    scene.ledger.advance(-3_600)
    scene.started(SECOND)
    then = scene.force().since
    assert first
    assert then
    assert then > first


# ----------------------------------------------------------------------------------- not to be read


def test_a_process_that_cannot_read_the_policy_in_force_grants_nothing_and_revokes(scene: Scene) -> None:
    web = scene.started()
    adas = web.ask(ADA).standing.grant.id
    web.approve(BOB, adas)
    dans = web.ask(DAN).standing.grant.id
    scene.started(ELSEWHERE, ONLY_OTHERS_HAVE_IT="postgresql://there")
    closed = web.context.catalog().closed
    assert closed
    assert refusal(closed) == (
        f"🚨 A process can't read the policy in force, version {version_of(ELSEWHERE)}: access.yaml:3: "
        "targets.orders-db.url: the variable ONLY_OTHERS_HAVE_IT is not set; set it in the "
        "environment. It grants nothing, and keeps revoking by the policy it followed before. Correct what "
        "it needs there and restart it, or run `rotakey policy apply FILE` with an access.yaml that it can "
        "read."
    )
    assert [note.reason.why for note in scene.notes_in()] == [Why.POLICY_UNREADABLE]
    for attempt in (lambda: web.ask(ADA, "bills"), lambda: web.approve(BOB, dans)):
        with pytest.raises(Refused, match="policy_closed"):
            attempt()
    assert not web.revoke(BOB, ADA).live
    assert web.give_back(DAN).grant.id == dans
    for _ in range(3):
        web.context.catalog()
    assert len(scene.notes_in()) == 1


# ------------------------------------------------------------------------------------- held back


def held_back(scene: Scene, anchored: str) -> None:
    """Let a worker notice that Redis came back with another policy than the anchor's."""
    at = int(scene.ledger.now.timestamp()) + 60
    reason = because(Why.POLICY_CAME_BACK, version=V1, anchored=anchored, anchored_at=at)
    scene.put({Key.of(PolicyInForce): replace(scene.force(), held_back=reason)})


def test_a_policy_that_is_held_back_grants_nothing_until_a_person_decides(scene: Scene) -> None:
    web = scene.started(SECRET_KEY=KEY)
    web.context.catalog()
    held_back(scene, V2)
    closed = web.context.catalog().closed
    assert closed
    assert refusal(closed) == (
        f"🚨 Redis came back with policy {V1}, but {V2} was in force before. I grant nothing "
        "now, and keep revoking. Run `rotakey policy apply FILE` with the access.yaml that you want."
    )
    with pytest.raises(TemporaryFailure, match="so it grants nothing"):
        web.adapters.target("orders-db").prepare(ADAS, Deadline.after(1))
    scene.started(TEXT + "# the third\n", SECRET_KEY=KEY)
    assert scene.force().held_back
    assert scene.started(SECRET_KEY=KEY).context.catalog().closed
    web.context.catalog()
    assert [note.reason.why for note in scene.notes_in()].count(Why.POLICY_CAME_BACK) == 1
    assert scene.applied(SECRET_KEY=KEY).context.catalog().closed is None
    assert not scene.ledger.read({Key.of(PolicyDoubt)}).documents
    since = scene.force().since
    assert since
    assert since > scene.ledger.now + timedelta(seconds=60), "later than what the anchor has"


def test_nor_once_a_process_starts_with_the_one_that_was_in_force(scene: Scene) -> None:
    web = scene.started()
    held_back(scene, V2)
    assert web.context.catalog().closed
    scene.started(SECOND)
    assert web.context.catalog().closed is None
