"""An org that misbehaves in every way is never believed, and nobody loses what somebody else gave them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt
from bot.doubles.okta import Org, Served, serve
from bot.doubles.okta.answers import Refusal
from bot.doubles.okta.memory import ALL_PERMISSIONS
from bot.ports.deadline import Deadline
from bot.ports.target import Target
from tests.targets.okta.stage import GROUP, login, made_from, peopled

ADA = login("ada")
UNTIL = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def soon(seconds: float = 5) -> Deadline:
    return Deadline.after(seconds)


def granted(target: Target, hold: Hold) -> Receipt:
    return target.grant(hold, [target.prepare(hold, soon())], UNTIL, soon())


def of(hold: Hold, *, account: str | None = None, group: str = GROUP) -> Hold:
    entitlement = Entitlement(target=hold.target, what=(("group", group),))
    return replace(hold, account=account or hold.account, entitlement=entitlement)


# ------------------------------------------------------------------------------------------ who and what


def test_a_receipt_names_ids_of_the_user_the_group_and_the_org(target: Target, org: Org, hold: Hold) -> None:
    receipt = granted(target, hold)

    assert receipt.facts == {"user": org.user(ADA).id, "group": org.group(GROUP).id}
    assert receipt.system == org.id == "00oRotaExample"


@pytest.mark.parametrize("account", ["ada", "me", "..", ".", "ada/../bob", "{id}", ""])
def test_only_a_whole_login_is_an_account(target: Target, org: Org, hold: Hold, account: str) -> None:
    """Okta also finds people by id, by the first part of their login, and by the word me."""
    org.add_user("me")
    other = replace(hold, account=account.format(id=org.user(ADA).id))
    with pytest.raises(PermanentFailure, match=r"has no user with the login .*people: accounts:"):
        target.prepare(other, soon())

    org.add_by_hand(ADA, GROUP)
    assert target.has(other, [], soon()).presence is Presence.NONE


def test_a_login_may_have_capitals_and_odd_characters(target: Target, org: Org, hold: Hold) -> None:
    odd = org.add_user("o'hara+ops?x=1#%2f@example.com")
    receipt = target.prepare(of(hold, account="O'Hara+ops?x=1#%2f@example.com"), soon())
    assert receipt.facts["user"] == odd


@pytest.mark.parametrize("status", ["STAGED", "PROVISIONED", "SUSPENDED", "DEPROVISIONED", "SOMETHING_NEW"])
def test_somebody_who_cannot_sign_in_gets_nothing(target: Target, org: Org, hold: Hold, status: str) -> None:
    org.set_status(ADA, status)
    with pytest.raises(PermanentFailure, match=f"{ADA} is {status} there: activate it in Okta"):
        target.prepare(hold, soon())


@pytest.mark.parametrize("status", ["PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"])
def test_somebody_who_will_sign_in_again_keeps_their_access(
    target: Target, org: Org, hold: Hold, status: str
) -> None:
    org.set_status(ADA, status)
    granted(target, hold)
    assert org.logins_in(GROUP) == {ADA}


@pytest.mark.parametrize(
    "name", ['the "core" team', "back\\slash", 'x" or profile.name sw "', "Zürich/prod & co"]
)
def test_a_group_may_have_any_name(target: Target, org: Org, hold: Hold, name: str) -> None:
    made = org.add_group(name)
    assert target.prepare(of(hold, group=name), soon()).facts["group"] == made


def test_a_group_is_named_in_its_very_spelling(target: Target, hold: Hold) -> None:
    with pytest.raises(PermanentFailure, match="has no group PROD-oncall: create it, or correct the name"):
        target.prepare(of(hold, group="PROD-oncall"), soon())


def test_two_groups_of_one_name_are_refused(target: Target, org: Org, hold: Hold) -> None:
    twin = org.add_group(GROUP, "APP_GROUP")
    for call in (
        lambda: target.prepare(hold, soon()),
        lambda: target.ready(hold, soon()),
        lambda: target.holders(hold.entitlement, soon()),
    ):
        with pytest.raises(PermanentFailure, match=f"has 2 groups named {GROUP}: rename all but one"):
            call()

    org.add_member(twin, org.user(ADA).id)
    assert target.has(hold, [], soon()).presence is Presence.THEIRS


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (
            "APP_GROUP",
            r"its members come from an app or directory \(APP_GROUP\): name a group that is managed",
        ),
        ("BUILT_IN", r"it is built into Okta \(BUILT_IN\)"),
        ("NEW_KIND", "it is of the type NEW_KIND"),
    ],
)
def test_a_group_that_okta_does_not_let_us_change_is_refused(
    target: Target, org: Org, hold: Hold, kind: str, why: str
) -> None:
    org.add_group("imported", kind)
    with pytest.raises(PermanentFailure, match=f"the members of imported cannot be changed, because {why}"):
        target.prepare(of(hold, group="imported"), soon())


def test_a_stale_search_is_not_believed(target: Target, org: Org, hold: Hold) -> None:
    """The search hears of changes late: then it knows a group by its former name."""
    org.faults.lagging = True
    org.rename_group(GROUP, "retired")
    org.add_by_hand(ADA, "retired")

    assert target.has(hold, [], soon()).presence is Presence.NONE
    with pytest.raises(PermanentFailure, match=f"has no group {GROUP}"):
        target.prepare(hold, soon())
    assert target.holders(hold.entitlement, soon()).holders == ()


def test_a_group_of_the_same_name_that_was_made_again_is_another(
    target: Target, org: Org, hold: Hold
) -> None:
    receipt = granted(target, hold)
    org.remove_group(GROUP)
    org.add_group(GROUP)
    org.add_by_hand(ADA, GROUP)

    look = target.has(hold, [receipt], soon())
    assert look.presence is Presence.THEIRS
    assert look.gone
    target.revoke(hold, [receipt], soon())
    assert org.logins_in(GROUP) == {ADA}


def test_a_user_of_the_same_login_that_was_made_again_is_another(
    target: Target, org: Org, hold: Hold
) -> None:
    receipt = granted(target, hold)
    org.remove_user(ADA)
    org.add_user(ADA)
    org.add_by_hand(ADA, GROUP)

    assert target.has(hold, [receipt], soon()).presence is Presence.THEIRS
    target.revoke(hold, [receipt], soon())
    assert org.logins_in(GROUP) == {ADA}


@pytest.mark.parametrize("gone", ["user", "group"])
def test_what_is_deleted_after_it_was_prepared_is_not_granted(
    target: Target, org: Org, hold: Hold, gone: str
) -> None:
    receipt = target.prepare(hold, soon())
    org.remove_user(ADA) if gone == "user" else org.remove_group(GROUP)
    with pytest.raises(PermanentFailure, match="was deleted while this was granted: request it again"):
        target.grant(hold, [receipt], UNTIL, soon())
    target.revoke(hold, [receipt], soon())
    assert target.has(hold, [receipt], soon()).gone


# ------------------------------------------------------------------------------------------------ rules


def test_a_group_that_a_rule_fills_is_refused(target: Target, org: Org, hold: Hold) -> None:
    rule = org.add_rule("DBAs are on call", org.group(GROUP).id)
    for call in (target.prepare, target.ready):
        with pytest.raises(
            PermanentFailure, match=f"the group rule DBAs are on call fills the group {GROUP}"
        ):
            call(hold, soon())

    org.rules[rule] = replace(org.rules[rule], status="INACTIVE")
    granted(target, hold)


def test_a_rule_is_found_on_a_later_page(target: Target, org: Org, hold: Hold) -> None:
    org.largest_page = 2
    for number in range(4):
        org.add_rule(f"rule {number}", org.group("Everyone").id)
    org.add_rule("the last", org.group(GROUP).id)
    with pytest.raises(PermanentFailure, match="the group rule the last fills"):
        target.prepare(hold, soon())


def test_nobody_is_excluded_from_a_rule_that_came_later(target: Target, org: Org, hold: Hold) -> None:
    receipt = granted(target, hold)
    rule = org.add_rule("DBAs are on call", org.group(GROUP).id)
    with pytest.raises(PermanentFailure, match=f"removing {ADA} would exclude them from it for good"):
        target.revoke(hold, [receipt], soon())

    assert org.rules[rule].excluded == ()
    assert org.logins_in(GROUP) == {ADA}
    assert target.has(hold, [receipt], soon()).presence is Presence.OURS

    org.rules[rule] = replace(org.rules[rule], status="INACTIVE")
    target.revoke(hold, [receipt], soon())
    assert target.has(hold, [receipt], soon()).gone
    assert org.rules[rule].excluded == ()


def test_a_rule_that_excludes_them_already_is_no_obstacle(target: Target, org: Org, hold: Hold) -> None:
    receipt = granted(target, hold)
    rule = org.add_rule("DBAs are on call", org.group(GROUP).id)
    org.rules[rule] = replace(org.rules[rule], excluded=(org.user(ADA).id,))
    target.revoke(hold, [receipt], soon())
    assert target.has(hold, [receipt], soon()).gone


def test_access_that_is_gone_needs_no_removal_from_a_ruled_group(
    target: Target, org: Org, hold: Hold
) -> None:
    receipt = granted(target, hold)
    org.remove_member(receipt.facts["group"], receipt.facts["user"])
    org.add_rule("DBAs are on call", receipt.facts["group"])
    target.revoke(hold, [receipt], soon())
    assert not [each for each in org.calls if each.startswith("DELETE")]


@pytest.mark.parametrize(
    ("fault", "says"), [("not_there", "answered 404"), ("hidden", "Read-only Administrator")]
)
def test_rules_that_cannot_be_read_are_not_taken_for_none(
    target: Target, org: Org, hold: Hold, fault: str, says: str
) -> None:
    setattr(org.faults, fault, frozenset(["/api/v1/groups/rules"]))
    with pytest.raises(PermanentFailure, match=says):
        target.prepare(hold, soon())


# ----------------------------------------------------------------------------------------- somebody else's


def test_what_was_there_before_is_theirs_and_stays(target: Target, org: Org, hold: Hold) -> None:
    org.add_by_hand(ADA, GROUP)
    look = target.has(hold, [], soon())
    assert (look.presence, look.receipts) == (Presence.THEIRS, ())

    target.revoke(hold, [], soon())
    assert org.logins_in(GROUP) == {ADA}
    assert not [each for each in org.calls if each.startswith("DELETE")]


def test_another_bot_in_the_same_org_does_not_count_ours_as_its_own(
    target: Target, served: Served, hold: Hold
) -> None:
    granted(target, hold)
    assert made_from(served.url, "another").has(hold, [], soon()).presence is Presence.THEIRS


def test_everybody_in_the_group_is_listed_over_pages(target: Target, org: Org, hold: Hold) -> None:
    logins = [login(f"person{number}") for number in range(7)]
    for each in logins:
        org.add_user(each)
        org.add_by_hand(each, GROUP)
    org.largest_page = 3

    found = target.holders(hold.entitlement, soon())

    assert [each.account for each in found.holders] == logins
    assert {each.presence for each in found.holders} == {Presence.UNKNOWN}
    assert found.system
    assert found.system.id == org.id
    assert sum("/users?" in each for each in org.calls) == 3


def test_a_group_on_a_later_page_of_a_users_groups_is_seen(target: Target, org: Org, hold: Hold) -> None:
    org.largest_page = 2
    for number in range(5):
        org.members = {org.add_group(f"group {number}"): [org.user(ADA).id], **org.members}
    receipt = granted(target, hold)
    assert target.has(hold, [receipt], soon()).presence is Presence.OURS


def test_the_next_page_is_asked_of_the_org_alone(
    target: Target, org: Org, served: Served, hold: Hold
) -> None:
    """A link that leads to another host would send our token there."""
    org.largest_page = 1
    for name in ("ada", "bob"):
        org.add_by_hand(login(name), GROUP)
    elsewhere = peopled("00oElsewhere")
    with serve(elsewhere) as other:
        org.links_to = other.url
        assert len(target.holders(hold.entitlement, soon()).holders) == 2
    assert not elsewhere.calls


def test_a_group_that_the_credential_cannot_see_is_not_gone(target: Target, org: Org, hold: Hold) -> None:
    receipt = granted(target, hold)
    org.access.groups = frozenset([org.group("Everyone").id])
    with pytest.raises(PermanentFailure, match=r"answered 403: .* it may not read this group"):
        target.has(hold, [receipt], soon())


def test_a_user_whom_the_credential_cannot_see_is_not_gone(target: Target, org: Org, hold: Hold) -> None:
    receipt = granted(target, hold)
    org.faults.hidden = frozenset([f"/api/v1/users/{receipt.facts['user']}/groups"])
    assert target.has(hold, [receipt], soon()).presence is Presence.OURS
    org.remove_member(receipt.facts["group"], receipt.facts["user"])
    assert target.has(hold, [receipt], soon()).gone


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("users/{user}/groups", lambda target, hold, receipt: target.has(hold, [receipt], soon())),
        ("groups/{group}", lambda target, hold, receipt: target.has(hold, [receipt], soon())),
        ("groups/{group}/users/{user}", lambda target, hold, receipt: target.revoke(hold, [receipt], soon())),
    ],
)
def test_a_404_of_something_else_is_not_gone(
    target: Target, org: Org, hold: Hold, missing: str, call: Callable[[Target, Hold, Receipt], object]
) -> None:
    """A proxy, for example, or a page for maintenance."""
    receipt = granted(target, hold)
    org.remove_member(receipt.facts["group"], receipt.facts["user"])
    org.faults.not_there = frozenset([f"/api/v1/{missing.format(**receipt.facts)}"])
    with pytest.raises(PermanentFailure, match=r"orders-db answered 404$"):
        call(target, hold, receipt)


# ----------------------------------------------------------------------------------------------- failures


def test_a_lost_answer_is_asked_for_again(target: Target, org: Org, hold: Hold) -> None:
    receipt = target.prepare(hold, soon())
    org.faults.loses = frozenset(["PUT"])
    with pytest.raises(TemporaryFailure):
        target.grant(hold, [receipt], UNTIL, soon(3))
    assert target.has(hold, [receipt], soon()).presence is Presence.OURS

    org.faults.loses = frozenset(["DELETE"])
    with pytest.raises(TemporaryFailure):
        target.revoke(hold, [receipt], soon(3))
    assert target.has(hold, [receipt], soon()).gone
    assert sum(each.startswith("PUT") for each in org.calls) > 1
    assert sum(each.startswith("DELETE") for each in org.calls) > 1


@pytest.mark.parametrize("clock_off", [0, -3600, 7200])
def test_a_limit_is_waited_for_until_its_reset_by_oktas_clock(
    target: Target, org: Org, hold: Hold, clock_off: float
) -> None:
    org.faults = replace(org.faults, limited=10, limit_seconds=40, clock_off=clock_off)
    with pytest.raises(TemporaryFailure, match="answered 429") as raised:
        target.has(hold, [], soon())
    assert raised.value.retry_after == pytest.approx(41, abs=2)
    assert len(org.calls) == 1


@pytest.mark.parametrize(("seconds", "asked"), [(-5.0, 1.0), (10**9, 300.0)])
def test_a_limit_is_never_shorter_than_a_second_nor_for_ever(
    target: Target, org: Org, hold: Hold, seconds: float, asked: float
) -> None:
    org.faults = replace(org.faults, limited=10, limit_seconds=seconds, concurrent=True)
    with pytest.raises(TemporaryFailure) as raised:
        target.has(hold, [], soon(0.9))
    assert raised.value.retry_after == asked


def test_a_short_limit_is_waited_for_here(target: Target, org: Org, hold: Hold) -> None:
    org.faults = replace(org.faults, limited=1, limit_seconds=0)
    assert target.has(hold, [], soon()).presence is Presence.NONE


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_org_that_is_down_may_come_back(target: Target, org: Org, hold: Hold, status: int) -> None:
    org.faults.down = status
    with pytest.raises(TemporaryFailure, match=f"orders-db answered {status}"):
        target.has(hold, [], soon(0.5))


@pytest.mark.parametrize(
    "body", [b"<!doctype html>Please sign in", b"[]", b"{}", b'{"id": 7}', b'{"id": "../x"}']
)
def test_nonsense_is_not_an_answer(target: Target, org: Org, hold: Hold, body: bytes) -> None:
    receipt = granted(target, hold)
    org.faults.body = body
    for call in (
        lambda: target.prepare(hold, soon(0.5)),
        lambda: target.has(hold, [receipt], soon(0.5)),
        lambda: target.revoke(hold, [receipt], soon(0.5)),
    ):
        with pytest.raises(TemporaryFailure, match="orders-db did not answer as Okta does: "):
            call()


def test_a_redirect_is_not_followed(org: Org, hold: Hold) -> None:
    with serve(org) as served:
        org.faults.down = 302
        with pytest.raises(PermanentFailure, match=r"302: .*redirects are not followed; correct the url"):
            made_from(served.url).has(hold, [], soon())


RIGHTS: dict[str, tuple[Callable[[Target, Hold, Receipt], object], str]] = {
    "okta.users.read": (lambda target, hold, _: target.prepare(hold, soon()), "okta.users.read"),
    "okta.groups.read": (lambda target, hold, _: target.prepare(hold, soon()), "okta.groups.read"),
    "okta.groups.members.manage": (
        lambda target, hold, receipt: target.grant(hold, [receipt], UNTIL, soon()),
        "okta.groups.members.manage for this group",
    ),
    "okta.users.groupMembership.manage": (
        lambda target, hold, receipt: target.revoke(hold, [receipt], soon()),
        "okta.users.groupMembership.manage",
    ),
}


@pytest.mark.parametrize("right", RIGHTS)
def test_a_right_that_is_missing_is_named(target: Target, org: Org, hold: Hold, right: str) -> None:
    receipt = target.prepare(hold, soon())
    call, named = RIGHTS[right]
    org.access.permissions = ALL_PERMISSIONS - {right}
    with pytest.raises(
        PermanentFailure, match=r"403: You do not have permission .*; see docs/okta.md"
    ) as raised:
        call(target, hold, receipt)
    assert named in str(raised.value)


def test_a_token_that_is_not_accepted_says_what_to_check(served: Served, hold: Hold) -> None:
    with pytest.raises(
        PermanentFailure, match="401: Invalid token provided: check that the API token is right"
    ):
        made_from(served.url, token="00wrong").prepare(hold, soon())


def test_no_message_shows_the_token(
    org: Org, served: Served, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "00odd-token"
    org.access.token = token
    target = made_from(served.url, token=token)

    def parrot(_: str) -> Any:
        raise Refusal(
            400, "E0000001", f"Api validation failed: {token}\n", cause=f"it is {token}" + "x" * 999
        )

    monkeypatch.setattr(org, "find_user", parrot)
    with pytest.raises(PermanentFailure, match="400: Api validation failed: …; it is …x") as raised:
        target.prepare(hold, soon())
    assert token not in f"{raised.value!r} {target!r} {vars(target)}"
    assert len(str(raised.value)) < 400


# --------------------------------------------------------------------------------------------- another org


def test_another_org_is_another_system_until_a_person_accepts_it(
    target: Target, org: Org, hold: Hold
) -> None:
    receipt = granted(target, hold)
    other = peopled("00oAnother")
    other.add_user(login("dan"))
    with serve(other) as served:
        moved = made_from(served.url)
        other.add_by_hand(ADA, GROUP)
        look = moved.has(hold, [receipt], soon())
        assert (look.presence, look.receipts) == (Presence.ELSEWHERE, (receipt,))
        assert "rotakey target accept orders-db" in (look.why or "")
        moved.revoke(hold, [receipt], soon())
        assert other.logins_in(GROUP) == {ADA}

        accepted = replace(receipt, system="00oAnother", moved_from=receipt.system)
        look = moved.has(hold, [accepted], soon())
        assert look.presence is Presence.OURS
        assert accepted not in look.receipts
        assert moved.grant(hold, [accepted], UNTIL, soon()) in look.receipts
        moved.revoke(hold, [accepted], soon())
        assert moved.has(hold, [accepted], soon()).gone
        assert other.logins_in(GROUP) == frozenset()


def test_another_org_is_not_sent_the_credential_when_it_is_asked_who_it_is(
    target: Target, org: Org, hold: Hold
) -> None:
    receipt = replace(granted(target, hold), system="00oFormer")
    org.calls.clear()
    org.credentials.clear()
    assert target.has(hold, [receipt], soon()).presence is Presence.ELSEWHERE
    assert list(org.calls) == ["GET /.well-known/okta-organization"]
    assert list(org.credentials) == [""]


def test_no_org_at_the_url_is_said(org: Org, hold: Hold) -> None:
    with serve(org) as served:
        org.faults.not_there = frozenset(["/.well-known/okta-organization"])
        with pytest.raises(PermanentFailure, match="answered 404"):
            made_from(served.url).prepare(hold, soon())


def test_a_receipt_of_another_kind_is_refused(target: Target, org: Org, hold: Hold) -> None:
    receipt = Receipt(system=org.id, facts={"role": "7"})
    with pytest.raises(PermanentFailure, match="has no user, so it is not an Okta receipt"):
        target.has(hold, [receipt], soon())


# ------------------------------------------------------------------------------------------------ sessions


def test_sessions_are_left_alone_unless_it_says_so(target: Target, org: Org, hold: Hold) -> None:
    target.revoke(hold, [granted(target, hold)], soon())
    assert org.cleared == []


def test_sessions_and_tokens_are_cleared_at_the_end_and_devices_stay_remembered(
    org: Org, served: Served, hold: Hold
) -> None:
    target = made_from(served.url, sessions="clear")
    receipt = granted(target, hold)
    assert org.cleared == []
    target.revoke(hold, [receipt], soon())
    assert org.cleared == [(org.user(ADA).id, True, False)]
    assert target.has(hold, [receipt], soon()).gone


def test_sessions_are_cleared_also_if_the_answer_to_the_removal_was_lost(
    org: Org, served: Served, hold: Hold
) -> None:
    target = made_from(served.url, sessions="clear")
    receipt = granted(target, hold)
    org.faults.loses = frozenset(["DELETE"])
    with pytest.raises(TemporaryFailure):
        target.revoke(hold, [receipt], soon(1))
    assert org.cleared == []

    org.faults.loses = frozenset()
    target.revoke(hold, [receipt], soon())
    assert org.cleared == [(org.user(ADA).id, True, False)]


def test_sessions_that_may_not_be_cleared_are_said_once_the_access_is_gone(
    org: Org, served: Served, hold: Hold
) -> None:
    target = made_from(served.url, sessions="clear")
    receipt = granted(target, hold)
    org.access.permissions = ALL_PERMISSIONS - {"okta.users.lifecycle.clearSessions"}
    with pytest.raises(PermanentFailure, match=r"it may not clear sessions: .* or write sessions: keep"):
        target.revoke(hold, [receipt], soon())
    assert org.logins_in(GROUP) == frozenset()


def test_somebody_who_was_deleted_has_no_sessions(org: Org, served: Served, hold: Hold) -> None:
    target = made_from(served.url, sessions="clear")
    receipt = granted(target, hold)
    org.remove_user(ADA)
    target.revoke(hold, [receipt], soon())
    assert target.has(hold, [receipt], soon()).gone


# ------------------------------------------------------------------------------------------------- in time


def test_a_slow_org_holds_nobody_up(target: Target, org: Org, hold: Hold) -> None:
    receipt = target.prepare(hold, soon())
    org.faults.slow = 0.4
    by = soon(0.6)
    with pytest.raises(TemporaryFailure, match="in time"):
        target.grant(hold, [receipt], UNTIL, by)
    assert by.seconds_left() == 0
    assert Deadline(by.at + 0.5).seconds_left() > 0


def test_an_expression_cannot_be_smuggled_in(target: Target, org: Org, hold: Hold) -> None:
    name = 'a" or profile.name eq "b'
    with pytest.raises(PermanentFailure, match="has no group"):
        target.prepare(of(hold, group=name), soon())
    [asked] = [each for each in org.calls if "search=" in each]
    assert re.search(r'profile\.name eq "a\\" or profile\.name eq \\"b"', unquote(asked.replace("+", " ")))
