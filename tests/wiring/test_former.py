"""A target that left the file, or moved, is kept as it was, for revoking, until nothing is held there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.authentic import hmac_of
from bot.core.catalog import version_of
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, HoldRecord, Phase, Presence, Receipt
from bot.ports.deadline import Deadline
from bot.ports.documents import FormerTarget, Key, PolicyInForce, PolicyText
from bot.ports.target import Target
from bot.testing.cast import NINE
from bot.testing.target import FakeTarget
from bot.usecases.access.former import former_target
from tests.wiring.scene import ADAS, GONE, KEY, MOVED, NEW, NEWEST, NEXT_KEY, OLD, ROLE, TEXT, Process, Scene

V1 = version_of(TEXT)
NEWEST_TEXT = TEXT.replace("OLD_URL", "NEWEST_URL")
DANS = Hold(target="orders-db", account="dan@example.com", entitlement=ROLE)


def soon() -> Deadline:
    return Deadline.after(1)


def former(process: Process, name: str = "orders-db") -> Target | None:
    process.context.catalog()
    return process.adapters.former(name)


def at(url: str) -> tuple[Receipt, ...]:
    return (Receipt(system=url),)


def revoked(scene: Scene) -> dict[str, list[str]]:
    """Return what was revoked at each server."""
    return {url: server.revoked for url, server in scene.servers.items() if server.revoked}


@pytest.mark.parametrize("text", [MOVED, GONE])
def test_what_was_given_under_the_old_text_is_revoked_where_it_was(scene: Scene, text: str) -> None:
    worker = scene.started()
    scene.held()
    scene.started(text)
    target = former(worker)
    assert target
    target.revoke(ADAS, at(OLD), soon())
    assert target.has(ADAS, at(OLD), soon()).presence is Presence.OURS
    assert revoked(scene) == {OLD: ["ada@example.com"]}


def test_the_rest_of_the_file_is_in_force_at_once(scene: Scene) -> None:
    worker = scene.started()
    scene.held()
    scene.started(MOVED.replace("Orders", "Moved orders"))
    assert worker.context.catalog().resources["prod-db"].title == "Moved orders"
    worker.adapters.target("orders-db").revoke(DANS, at(NEW), soon())
    assert revoked(scene) == {NEW: ["dan@example.com"]}
    assert former(worker, "bills-db") is None


def test_nothing_is_granted_at_a_target_as_it_was(scene: Scene) -> None:
    worker = scene.started()
    scene.started(GONE)
    target = former(worker)
    assert target
    for attempt in (
        lambda: target.prepare(ADAS, soon()),
        lambda: target.grant(ADAS, at(OLD), None, soon()),
        lambda: target.ready(ADAS, soon()),
    ):
        with pytest.raises(PermanentFailure, match="it is only used to revoke"):
            attempt()


def test_a_target_that_left_the_file_is_reached_as_it_was_and_one_that_moved_where_it_is(
    scene: Scene,
) -> None:
    worker = scene.started()
    scene.started(GONE)
    worker.context.catalog()
    worker.adapters.reach("orders-db").revoke(ADAS, at(OLD), soon())
    with pytest.raises(PermanentFailure, match="target orders-db is no longer in access"):
        worker.adapters.target("orders-db")
    scene.started(MOVED)
    worker.context.catalog()
    worker.adapters.reach("orders-db").revoke(DANS, at(NEW), soon())
    assert revoked(scene) == {OLD: ["ada@example.com"], NEW: ["dan@example.com"]}
    with pytest.raises(PermanentFailure, match="target never-db is no longer in access"):
        worker.adapters.reach("never-db")


def test_it_is_forgotten_once_nothing_is_held_there(scene: Scene) -> None:
    worker = scene.started()
    scene.held()
    scene.started(GONE)
    scene.tidy()
    assert former(worker)
    scene.held(phase=Phase.TAKING)
    scene.tidy()
    assert former(worker)
    scene.held(phase=Phase.EMPTY)
    scene.tidy()
    assert former(worker) is None
    assert scene.history()[-1] == "former targets forgotten"


def test_it_is_kept_for_as_long_as_a_worker_may_be_about_to_grant_there(scene: Scene) -> None:
    """A worker may have read the policy before, and written nothing yet."""
    worker = scene.started()
    scene.started(GONE)
    scene.tidy(after=timedelta(minutes=14))
    assert former(worker)
    scene.tidy(after=timedelta(minutes=1))
    assert former(worker) is None


def test_a_former_address_that_does_not_answer_hides_no_other(scene: Scene) -> None:
    """The one in between was a mistake."""
    first, typo = FakeTarget(lambda: NINE), FakeTarget(lambda: NINE)
    for verb in ("has", "revoke"):
        typo.failing[verb] = TemporaryFailure("its host name cannot be resolved")
    receipt = first.prepare(ADAS, Deadline.after(1))
    first.grant(ADAS, [receipt], None, Deadline.after(1))
    earlier = former_target("orders-db", [typo, first])
    earlier.revoke(ADAS, [receipt], Deadline.after(1))
    assert first.access == {}
    elsewhere = replace(receipt, system="unheard of")
    with pytest.raises(TemporaryFailure):
        earlier.has(ADAS, [elsewhere], Deadline.after(1))


def test_what_cannot_be_read_may_be_held_there(scene: Scene) -> None:
    worker = scene.started()
    scene.held(phase=Phase.EMPTY)
    scene.ledger.corrupt(Key.of(HoldRecord, ADAS.key))
    scene.started(GONE)
    scene.tidy()
    assert former(worker)


def test_what_is_held_at_another_target_is_not_held_there(scene: Scene) -> None:
    worker = scene.started()
    scene.held(Hold(target="bills-db", account="ada@example.com", entitlement=ROLE))
    scene.started(GONE)
    scene.tidy()
    assert former(worker) is None


def test_it_is_forgotten_too_if_all_that_is_held_was_seen_at_the_address_of_today(scene: Scene) -> None:
    worker = scene.started()
    scene.held()
    scene.started(MOVED)
    scene.tidy(may_be_there=False)
    assert former(worker) is None


def test_it_is_looked_at_again_soon_while_there_is_one(scene: Scene) -> None:
    scene.started()
    scene.held()
    scene.started(GONE)
    scene.tidy()
    scene.ledger.advance(61)
    assert scene.ledger.claim(1, 1, {}, ("former",)).claims


def test_a_target_that_is_back_at_its_address_is_not_a_former_one(scene: Scene) -> None:
    worker = scene.started()
    scene.held()
    scene.started(MOVED)
    scene.started(TEXT + "# back\n")
    target = former(worker)
    assert target
    assert [each.version for each in scene.force().former["orders-db"]] == [version_of(MOVED)]
    worker.adapters.target("orders-db").revoke(ADAS, at(OLD), soon())
    assert revoked(scene) == {OLD: ["ada@example.com"]}


def test_only_its_address_makes_a_target_a_former_one(scene: Scene) -> None:
    worker = scene.started()
    scene.held()
    scene.started(TEXT.replace('"${OLD_URL}"', '"${OLD_URL}", sessions: keep'))
    assert former(worker) is None


def test_a_hold_is_looked_for_at_each_earlier_address_the_latest_first(scene: Scene) -> None:
    worker = scene.started()
    scene.held()
    for text in (MOVED, NEWEST_TEXT):
        scene.started(text)
    target = former(worker)
    assert target
    target.revoke(ADAS, at(OLD), soon())
    target.revoke(DANS, at(NEW), soon())
    assert revoked(scene) == {OLD: ["ada@example.com"], NEW: ["dan@example.com"]}
    assert target.has(ADAS, at(NEWEST), soon()).presence is Presence.ELSEWHERE
    assert target.has(ADAS, at(OLD), soon()).presence is Presence.OURS


def test_the_same_address_twice_is_kept_once(scene: Scene) -> None:
    scene.started()
    for n in range(3):
        scene.started(MOVED + f"# {n}\n")
        scene.started(TEXT + f"# {n}\n")
    assert [each.version for each in scene.force().former["orders-db"]] == [version_of(MOVED + "# 2\n")]


# ---------------------------------------------------------------------------------- what it needs


def test_a_variable_that_it_needs_and_that_is_not_set_any_more_is_named(scene: Scene) -> None:
    scene.started()
    scene.started(MOVED)
    worker = scene.follower(MOVED)
    worker.adapters._environ = {
        name: url for name, url in worker.adapters._environ.items() if name != "OLD_URL"
    }
    worker.context.catalog()
    assert worker.adapters.needs_of_former("orders-db") == ("OLD_URL",)
    with pytest.raises(PermanentFailure) as missing:
        worker.adapters.former("orders-db")
    assert str(missing.value) == (
        f"access granted at orders-db under policy {V1} cannot be revoked: policy {V1}:3:"
        " targets.orders-db.url: the variable OLD_URL is not set; set it in the environment; fix"
        " that, or restore the target in access.yaml as it was"
    )


def test_a_text_that_was_changed_meanwhile_is_not_gone_by(scene: Scene) -> None:
    worker = scene.started(SECRET_KEY=KEY)
    scene.started(MOVED, SECRET_KEY=KEY)
    scene.forge(TEXT.replace("OLD_URL", "NEWEST_URL"), V1)
    with pytest.raises(
        PermanentFailure, match=f"under policy {V1} .*: the text of that policy is lost or was changed"
    ):
        former(worker)
    assert NEWEST not in scene.servers


def test_an_earlier_text_gets_the_hmac_of_a_new_key_too(scene: Scene) -> None:
    scene.started(SECRET_KEY=KEY)
    scene.held()
    scene.started(GONE, SECRET_KEY=KEY)
    scene.started(GONE, SECRET_KEY=f"{NEXT_KEY} {KEY}")
    assert hmac_of(TEXT, NEXT_KEY.encode()) in scene.text(V1).hmacs
    assert former(scene.follower(GONE, SECRET_KEY=NEXT_KEY))


def test_but_one_that_was_changed_does_not(scene: Scene) -> None:
    scene.started(SECRET_KEY=KEY)
    scene.held()
    scene.started(GONE, SECRET_KEY=KEY)
    scene.forge(TEXT.replace("OLD_URL", "NEWEST_URL"), V1)
    before = scene.text(V1)
    scene.started(GONE, SECRET_KEY=f"{NEXT_KEY} {KEY}")
    assert scene.text(V1) == before
    forged = Key.of(PolicyText, version_of(before.text))
    assert not scene.ledger.read({forged}).documents


def test_a_first_key_does_not_reach_a_target_as_it_was_and_says_what_does(scene: Scene) -> None:
    scene.started()
    scene.held()
    keyless = scene.started(GONE)
    keyless.context.catalog()
    assert keyless.adapters.has_unsigned_former("orders-db")
    worker = scene.started(GONE, SECRET_KEY=KEY)
    with pytest.raises(PermanentFailure) as unsigned:
        former(worker)
    assert str(unsigned.value) == (
        f"access granted at orders-db under policy {V1} cannot be revoked: the text of that policy was not"
        " signed with this SECRET_KEY; restore the target in access.yaml as it was; or, if SECRET_KEY was"
        " set or changed since, undo that until nothing is held there"
    )
    assert former(scene.started(GONE)), "without the key"
    back = scene.applied(SECRET_KEY=KEY)
    back.context.catalog()
    back.adapters.reach("orders-db").revoke(ADAS, at(OLD), soon())
    assert revoked(scene) == {OLD: ["ada@example.com"]}


def test_a_first_key_vouches_for_no_text_that_somebody_else_put_among_the_former(scene: Scene) -> None:
    """Its version is its own hash, so nothing else distinguishes it from one of ours."""
    scene.started(GONE)
    theirs = TEXT.replace("OLD_URL", "NEWEST_URL")
    forged = FormerTarget(version=version_of(theirs), address="theirs", left_at=scene.ledger.now)
    scene.put(
        {
            Key.of(PolicyText, version_of(theirs)): PolicyText(text=theirs),
            Key.of(PolicyInForce): replace(scene.force(), former={"orders-db": (forged,)}),
        }
    )
    worker = scene.started(GONE, SECRET_KEY=KEY)
    assert scene.text(version_of(theirs)).hmacs == ()
    with pytest.raises(PermanentFailure, match="was not signed with this SECRET_KEY"):
        former(worker)
    assert NEWEST not in scene.servers


def test_a_ledger_from_before_knows_no_addresses_and_learns_them(scene: Scene) -> None:
    scene.put({Key.of(PolicyInForce): PolicyInForce(version=V1)})
    scene.started()
    assert set(scene.force().addresses) == {"orders-db", "bills-db"}
    scene.started(GONE)
    [kept] = scene.force().former["orders-db"]
    assert isinstance(kept, FormerTarget)
    assert kept.version == V1


# ------------------------------------------------------------------------------ following, and letting go


def test_a_connection_is_kept_while_the_target_is_needed_as_it_was(scene: Scene) -> None:
    worker = scene.started()
    worker.adapters.target("orders-db")
    scene.started(GONE)
    assert former(worker)
    assert not scene.servers[OLD].closed
    scene.tidy()
    worker.context.catalog()
    assert scene.servers[OLD].closed
