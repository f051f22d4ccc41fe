"""``rotakey doctor`` reports what is wrong with Slack, the pager, the targets and the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.authentic import hmac_of
from bot.core.belief import Doubt
from bot.core.catalog import (
    Catalog,
    Everyone,
    InGroup,
    Named,
    OnCall,
    PeopleRules,
    Resource,
    version_of,
)
from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure, Unsupported
from bot.core.people import Group
from bot.core.reasons import Why, because
from bot.core.shifts import Roster
from bot.ports.changes import Change, Due
from bot.ports.deadline import Deadline
from bot.ports.documents import Home, Key, PolicyDoubt, PolicyInForce, PolicyText, Swept, TargetSystems
from bot.ports.slack import AppFacts
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    FIRST_LINE,
    GROUP,
    HOUR,
    NINE,
    ORDERS_SCHEDULE,
    PROD_DB,
    SCHEDULE,
    SECURITY,
    TEAM,
    catalog,
    dba,
    nobodys,
    roster,
    shift,
)
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.doctor import pager, policy, slack, targets
from bot.usecases.doctor.findings import Finding, Grade, look_at, ok, wrong
from bot.usecases.enact import enact
from bot.usecases.job import Job
from bot.usecases.notifications.posting import count_given_up
from bot.usecases.schedules import groups

WANTED = ("chat:write", "users:read")
REFUSED = PermanentFailure("Slack's auth.test answered invalid_auth: check SLACK_BOT_TOKEN")
AWAY = TemporaryFailure("Slack's auth.test did not answer")


@pytest.fixture
def story() -> Story:
    return Story()


class FakeApp:
    """Implements App."""

    def __init__(self) -> None:
        self.scopes: frozenset[str] | None = frozenset({*WANTED, "commands"})
        self.team = TEAM
        self.inside: frozenset[str] | None = frozenset({"#db-access", SECURITY})
        self.failing: Exception | None = None

    def facts(self, deadline: Deadline) -> AppFacts:
        self._answer()
        return AppFacts(team=self.team, workspace="Example Co", name="rotakey", scopes=self.scopes)

    def channels(self, deadline: Deadline) -> frozenset[str] | None:
        self._answer()
        return self.inside

    def socket(self, deadline: Deadline) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.failing:
            raise self.failing


def soon() -> Deadline:
    return Deadline.after(30)


def told(findings: Iterable[Finding]) -> list[tuple[Grade, str]]:
    return [(each.grade, each.what) for each in findings]


# --------------------------------------------------------------------------------------------- slack


def app(story: Story, **changes: object) -> list[Finding]:
    it = FakeApp()
    for name, value in changes.items():
        setattr(it, name, value)
    return list(slack.look_at_app(it, WANTED, story.memory, soon()))


def test_the_app_is_installed_as_it_should_be(story: Story) -> None:
    assert app(story) == [ok("slack", "rotakey in Example Co, with all scopes it needs")]


def test_slack_does_not_answer_or_refuses(story: Story) -> None:
    do = (
        "people cannot request access, and their messages wait until Slack is back; access still ends on time"
    )
    assert app(story, failing=AWAY) == [wrong("slack", str(AWAY), do)]
    assert app(story, failing=REFUSED) == [wrong("slack", str(REFUSED))]


def test_slack_does_not_let_the_bot_in_any_more_until_a_worker_has_a_good_token(story: Story) -> None:
    groups.record_loss(story.memory, "app_uninstalled")
    story.memory.advance(120)
    what = (
        "Slack said 2m ago that the app was uninstalled: people cannot request access, and their messages"
        " wait until Slack is back; access still ends on time"
    )
    assert app(story, failing=REFUSED) == [
        wrong("slack", str(REFUSED)),
        wrong("slack", what, groups.REINSTALL),
    ]
    story.run_due("workspace")
    assert told(app(story)) == [(Grade.OK, "rotakey in Example Co, with all scopes it needs")]
    assert [each.what for each in story.audit()][-2:] == ["slack lost", "slack found again"]


def test_an_answer_from_before_slack_shut_the_bot_out_proves_nothing(story: Story) -> None:
    asked = story.directory.home

    def uninstalled_meanwhile(deadline: Deadline) -> Home:
        home = asked(deadline)
        groups.record_loss(story.memory, "app_uninstalled")
        return home

    story.memory.commit(Change(due=(Due(member="workspace:self", at=story.now),)))
    story.directory.home = uninstalled_meanwhile  # type: ignore[method-assign]
    claim = story.claim("workspace")
    assert claim is not None
    with pytest.raises(Conflict):
        groups.refresh_home(story.context, Job(claim, Deadline.after(0)))
    assert groups.loss(story.memory) == "Slack says that the app was uninstalled"


def test_a_message_was_given_up_lately(story: Story) -> None:
    for _ in range(2):
        count_given_up(story.memory, "#db-access", PermanentFailure("is_archived: unarchive it"))
    story.memory.advance(3600)
    [_, lately] = app(story)
    what = "Slack refused a message to #db-access until 1h ago: is_archived: unarchive it; "
    do = "find out why Slack refuses it; a message is given up after an hour"
    assert lately == look_at("slack", f"{what}2 messages given up so far", do)
    story.memory.advance(8 * 24 * 3600)
    assert len(app(story)) == 1


def test_scopes_are_missing(story: Story) -> None:
    assert app(story, scopes=frozenset({"commands", "users:read"})) == [
        wrong(
            "slack",
            "the app lacks chat:write",
            "add them as in manifest.yml, and reinstall the app",
        )
    ]
    assert told(app(story, scopes=None)) == [
        (Grade.LOOK_AT, "Slack does not say which scopes the app has"),
    ]


def test_the_token_of_another_workspace(story: Story) -> None:
    [_, other] = app(story, team="T2")
    assert (other.grade, other.what) == (
        Grade.WRONG,
        f"SLACK_BOT_TOKEN is for Example Co (T2), but this Redis belongs to {TEAM}",
    )


def test_socket_mode() -> None:
    it = FakeApp()
    assert list(slack.look_at_socket(it, soon())) == [
        ok("slack", "Socket Mode: the app-level token is valid")
    ]
    it.failing = REFUSED
    assert list(slack.look_at_socket(it, soon())) == [
        wrong(
            "slack",
            f"Socket Mode: {REFUSED}",
            "check SLACK_APP_TOKEN: it starts with xapp-, and needs connections:write",
        )
    ]


@pytest.mark.parametrize(
    ("inside", "grade", "what"),
    [
        ({"#db-access", "#security"}, Grade.OK, "the bot is in #db-access, #security"),
        (
            {"#security"},
            Grade.WRONG,
            "the bot is not in #db-access, where access.yaml says to post",
        ),
        (
            None,
            Grade.OK,
            "the bot may not see whether it is in #db-access, #security; add the scopes channels:read and"
            " groups:read",
        ),
    ],
)
def test_channels(inside: set[str] | None, grade: Grade, what: str) -> None:
    it = FakeApp()
    it.inside = None if inside is None else frozenset(inside)
    assert told(slack.look_at_channels(it, catalog(), soon())) == [(grade, what)]


# ----------------------------------------------------------------------------------------- on call


def on_call(story: Story) -> list[Finding]:
    return list(pager.look_at_rosters(story.memory, story.policy))


def kept(story: Story, *rosters: Roster) -> None:
    story.memory.commit(Change(put={Key.of(Roster, each.schedule): each for each in rosters}))


PORDERS = roster(shift(schedule=ORDERS_SCHEDULE), schedule=ORDERS_SCHEDULE)


def test_somebody_is_on_call_for_everything(story: Story) -> None:
    kept(story, roster(), PORDERS)
    assert on_call(story) == [ok("on call", "2 schedules, read 0s ago; somebody is on each")]


def test_schedules_that_tell_nothing(story: Story) -> None:
    tomorrow = shift(CAROL, NINE + timedelta(hours=20), NINE + timedelta(hours=30))
    kept(story, roster(tomorrow), Roster(schedule=ORDERS_SCHEDULE, shifts=(), read_at=NINE))
    assert told(on_call(story)) == [
        (Grade.LOOK_AT, f"nobody is on call for {SCHEDULE} now"),
        (Grade.LOOK_AT, f"nobody is on call for {ORDERS_SCHEDULE} now, nor in the next 24 hours"),
    ]


def test_rosters_that_are_old_or_doubted_or_were_never_read(story: Story) -> None:
    doubted = replace(PORDERS, doubted=Doubt.NOBODY, unnamed=("PZOE",))
    kept(story, roster(), doubted)
    story.memory.advance(HOUR)
    assert told(on_call(story)) == [
        (Grade.WRONG, f"{SCHEDULE} was last read 1h ago, so it approves nobody"),
        (Grade.WRONG, f"{ORDERS_SCHEDULE} was last read 1h ago, so it approves nobody"),
        (
            Grade.LOOK_AT,
            f"{ORDERS_SCHEDULE}: it suddenly shows nobody on call, so the shifts known before still count",
        ),
        (
            Grade.LOOK_AT,
            f"PZOE is on call for {ORDERS_SCHEDULE}, but the source shows no email address for them",
        ),
    ]
    kept(story, replace(PORDERS, doubted="in the words of an older version", read_at=story.now))
    assert "in the words of an older version" in told(on_call(story))[1][1]
    never = pager.look_at_rosters(MemoryLedger(NINE), catalog())
    assert told(never)[0] == (
        Grade.WRONG,
        f"{SCHEDULE} was never read, so it approves nobody and starts no access",
    )


def test_a_schedule_without_levels_of_which_a_rule_names_some(story: Story) -> None:
    kept(story, replace(roster(), unattached=True), PORDERS)
    what = f"{SCHEDULE} is not in any escalation policy, so nobody is on call at any level of it"
    assert told(on_call(story)) == [(Grade.WRONG, what)]
    story.policy = catalog(replace(PROD_DB, approve_automatically=(replace(FIRST_LINE, levels=()),)))
    assert [grade for grade, _ in told(on_call(story))] == [Grade.OK]


def test_who_is_on_call_is_not_in_slack(story: Story) -> None:
    kept(story, roster(nobodys(shift(CAROL))), PORDERS)
    assert on_call(story) == [
        look_at(
            "on call",
            f"carol@example.com is on call for {SCHEDULE}, but is not the address of exactly one person in"
            " Slack",
            "give this person the same address in both",
        )
    ]


def test_the_source_is_asked(story: Story) -> None:
    def asked() -> list[Finding]:
        return list(
            pager.look_at_source(lambda _: story.source, "pagerduty", story.policy, story.now, soon())
        )

    assert pager.sources_of(story.policy) == ("pagerduty",)
    assert asked() == [ok("on call pagerduty", "answers for 2 schedules")]
    story.source.away = True
    assert told(asked()) == [(Grade.WRONG, "the pager does not answer")]


# ----------------------------------------------------------------------------------------- targets


def target(story: Story, it: FakeTarget) -> list[Finding]:
    gives = targets.gives_by_target(story.policy)["orders-db"]
    return list(targets.look_at_target(lambda _: it, gives, story.memory, soon()))


def test_two_names_for_one_running_server_are_wrong(story: Story) -> None:
    found = dict.fromkeys(("orders-db", "billing-db"), story.target.system)
    story.memory.commit(Change(put={Key.of(TargetSystems): TargetSystems(found=found)}))
    assert target(story, story.target)[1] == wrong(
        "target orders-db",
        "is the same running server as billing-db: only the first of the two in access.yaml grants",
        "use one name for it; access under the other name still ends on time",
    )


def test_a_target_that_ends_nothing_by_itself_wants_a_sweep(story: Story) -> None:
    story.ask(ADA)
    story.run_due()
    answers = ok("target orders-db", "answers; 3 entitlements, 1 holder")
    assert target(story, story.target) == [
        answers,
        look_at(
            "target orders-db",
            "cannot end access by itself, so nothing there would end it if Rotakey were gone",
            "run rotakey sweep --once from cron on another machine; see docs/operating.md",
        ),
    ]
    story.memory.commit(Change(put={Key.of(Swept): Swept(at=story.now, left=0)}))
    assert target(story, story.target) == [
        answers,
        ok("target orders-db", "cannot end access by itself; rotakey sweep last ran 0s ago"),
    ]


def test_a_target_with_a_lock_of_its_own_that_cannot_mark(story: Story) -> None:
    it = FakeTarget(lambda: story.now, keeps_end=True, marks=False)
    [_, marks] = target(story, it)
    assert (marks.grade, marks.what) == (
        Grade.LOOK_AT,
        "it cannot mark what Rotakey grants, so strays are not found there",
    )


def test_a_target_that_lists_nobody_answers(story: Story) -> None:
    it = FakeTarget(lambda: story.now, keeps_end=True, marks=False)
    it.failing["holders"] = Unsupported("orders-db does not support holders")
    first, _ = target(story, it)
    assert first == ok("target orders-db", "answers; it cannot list who has access")


def test_a_target_that_does_not_answer(story: Story) -> None:
    def away(_: str) -> FakeTarget:
        raise TemporaryFailure("orders-db does not answer: connection refused")

    gives = targets.gives_by_target(story.policy)["orders-db"]
    assert list(targets.look_at_target(away, gives, story.memory, soon())) == [
        wrong(
            "target orders-db",
            "orders-db does not answer: connection refused",
            "until it answers, nobody gets or loses access there",
        )
    ]


# ------------------------------------------------------------------------------------------ people


def people(story: Story, followed: Catalog | None = None) -> list[Finding]:
    known = followed or story.policy
    return list(policy.look_at_people(story.memory, story.directory, known, soon()))


def only(resource: Resource, **rules: object) -> Catalog:
    return replace(catalog(), resources={resource.name: resource}, **rules)  # type: ignore[arg-type]  # any field


def test_for_everything_somebody_can_ask_and_approve(story: Story) -> None:
    assert people(story) == [
        ok("people", "every resource has people who may request it and people who may approve")
    ]


ALONE = "can approve prod-db, so nobody can approve their own requests or while they are away"
TWO = "needs 2 approvals, but only bob can approve it"
NOBODY = "prod-db needs an approval, but nobody can approve it"
DO = "name more approvers, or find out in Slack why those named do not count"


def in_group(*members: str) -> Callable[[Story], None]:
    def change(story: Story) -> None:
        story.directory.members[GROUP] = dba(*members)
        story.memory.commit(Change(put={Key.of(Group, GROUP): dba(*members)}))

    return change


def deactivated(*who: str) -> Callable[[Story], None]:
    def change(story: Story) -> None:
        for each in who:
            story.directory.change(each, deactivated=True)

    return change


@pytest.mark.parametrize(
    ("change", "needed", "expected"),
    [
        (in_group(BOB), 1, look_at("people", f"only bob {ALONE}", DO)),
        (deactivated(BOB), 1, look_at("people", f"only carol {ALONE}", DO)),
        (deactivated(BOB, CAROL), 1, wrong("people", NOBODY, DO)),
        (in_group(BOB), 2, wrong("people", f"prod-db {TWO}", DO)),
        (in_group(BOB, "U9NOBODY"), 2, wrong("people", f"prod-db {TWO}", DO)),
    ],
)
def test_too_few_can_approve(
    story: Story, change: Callable[[Story], None], needed: int, expected: Finding
) -> None:
    change(story)
    asked = replace(PROD_DB, approve_automatically=(), approvals=needed)
    assert people(story, only(asked)) == [expected]


def test_who_is_approved_by_itself_may_have_no_approver(story: Story) -> None:
    deactivated(BOB, CAROL)(story)
    assert told(people(story, only(PROD_DB))) == [
        (Grade.LOOK_AT, "prod-db needs an approval, but nobody can approve it")
    ]
    assert told(people(story, only(replace(PROD_DB, approvers=())))) == [
        (Grade.OK, "every resource has people who may request it and people who may approve")
    ]


def test_groups_that_are_missing_old_or_empty(story: Story) -> None:
    asked = replace(PROD_DB, approvers=(InGroup(group=GROUP), Named(person=DAN), Named(person=ADA)))
    story.memory.advance(2 * HOUR)
    assert told(people(story, only(asked))) == [
        (Grade.WRONG, f"the members of {GROUP} were last read 2h ago, so they no longer count")
    ]
    doubted = Group(name=GROUP, members=(BOB,), read_at=story.now, doubted=True)
    story.memory.commit(Change(put={Key.of(Group, GROUP): doubted}))
    assert told(people(story, only(asked))) == [
        (
            Grade.WRONG,
            f"{GROUP} in Slack is not the group that the policy meant, so it approves nobody",
        )
    ]
    story.memory.commit(Change(put={Key.of(Group, GROUP): Group(name=GROUP, members=(), read_at=story.now)}))
    assert told(people(story, only(asked))) == [(Grade.LOOK_AT, f"nobody is in the group {GROUP}")]
    story.memory.commit(Change(put={Key.of(Group, GROUP): None}))
    assert told(people(story, only(asked))) == [(Grade.WRONG, f"the group {GROUP} is not in Slack")]


def test_nobody_may_ask(story: Story) -> None:
    on_night = OnCall(schedule="pagerduty/PNIGHT")
    asked = replace(PROD_DB, who_may_ask=(on_night,))
    assert told(people(story, only(asked))) == [(Grade.LOOK_AT, "nobody may request prod-db now")]
    assert people(story, only(replace(asked, who_may_ask=(on_night, Everyone()))))[0].grade is Grade.OK


def test_two_people_with_one_account(story: Story) -> None:
    accounts = {ADA: {"orders-db": "ops"}, DAN: {"orders-db": "ops"}, BOB: {"orders-db": "bob"}}
    rules = PeopleRules(email_domains=("example.com",), accounts=accounts)
    assert told(people(story, only(PROD_DB, people=rules))) == [
        (Grade.LOOK_AT, f"{ADA} and {DAN} are both ops at orders-db: each has the access of the other")
    ]
    declared = only(PROD_DB, people=rules, shared_accounts={"orders-db": ("ops",)})
    assert people(story, declared)[0].grade is Grade.OK


# ------------------------------------------------------------------------------------------ policy


def in_force(story: Story, local: str | None) -> list[Finding]:
    return list(policy.look_at_policy(story.memory, local, "access.yaml"))


def test_the_policy_in_force(story: Story) -> None:
    version = version_of("its text")
    enact(story.ledger, replace(story.policy, version=version), "its text")
    assert in_force(story, version) == [ok("policy", f"access.yaml is in force, version {version}")]
    assert in_force(story, None) == []
    assert in_force(story, "v2") == [
        look_at(
            "policy",
            f"access.yaml is version v2, but {version} is in force",
            "run rotakey policy apply access.yaml, or replace it with the one in force",
        )
    ]
    held = because(Why.POLICY_CAME_BACK, version=version, anchored="v7")
    force = PolicyInForce(version=version, held_back=held)
    story.memory.commit(Change(put={Key.of(PolicyInForce): force}))
    assert told(in_force(story, None)) == [
        (
            Grade.WRONG,
            f"Redis came back with policy {version}, but v7 was in force before: nothing is granted",
        )
    ]
    story.memory.commit(Change(put={Key.of(PolicyInForce): replace(force, held_back=None)}))
    story.memory.commit(Change(put={Key.of(PolicyText, version): None}))
    assert told(in_force(story, version)) == [
        (Grade.WRONG, f"the text of the policy in force, version {version}, is lost")
    ]
    assert told(policy.look_at_policy(MemoryLedger(NINE), "v1", "access.yaml")) == [
        (Grade.WRONG, "no policy is in force")
    ]


KEYS = (b"k" * 32,)


def test_a_policy_text_that_cannot_be_trusted(story: Story) -> None:
    version = version_of("its text")

    def kept(text: str, hmacs: tuple[str, ...], keys: tuple[bytes, ...]) -> list[tuple[Grade, str]]:
        force, put = PolicyInForce(version=version), PolicyText(text=text, hmacs=hmacs)
        story.memory.commit(Change(put={Key.of(PolicyInForce): force, Key.of(PolicyText, version): put}))
        return told(policy.look_at_policy(story.memory, version, "access.yaml", keys))

    ours = (hmac_of("its text", KEYS[0]),)
    good = [(Grade.OK, f"access.yaml is in force, version {version}")]
    assert kept("its text", ours, KEYS) == good
    assert kept("its text", (), ()) == good
    changed = (
        f"somebody changed the text of the policy in force: it no longer matches version {version};"
        " nothing is granted"
    )
    assert kept("another text", (hmac_of("another text", KEYS[0]),), KEYS) == [(Grade.WRONG, changed)]
    unsigned = (
        f"the policy in force, version {version}, was not signed with this SECRET_KEY; nothing is granted"
    )
    assert kept("its text", (), KEYS) == [(Grade.WRONG, unsigned)]
    assert kept("its text", (hmac_of("its text", b"x" * 32),), KEYS) == [(Grade.WRONG, unsigned)]
    unknown = (
        "SECRET_KEY is not set here, so it cannot be checked that Rotakey's own processes put this policy in"
        " force"
    )
    assert kept("its text", ours, ()) == [(Grade.LOOK_AT, unknown), *good]
    doubt = PolicyDoubt(reason=because(Why.POLICY_CHANGED, version=version), noticed_at=story.now)
    story.memory.commit(Change(put={Key.of(PolicyDoubt): doubt}))
    story.memory.advance(120)
    since = "for 2m a process has not followed the policy in force, so it grants nothing"
    assert kept("its text", ours, KEYS) == [(Grade.WRONG, since), *good]


def test_a_target_that_a_first_secret_key_would_put_out_of_reach() -> None:
    [found] = targets.look_at_former(lambda _: None, lambda _: (), lambda _: True, "orders-db")
    assert found.do == (
        "it is dropped once nothing is held there; until then, do not set a first SECRET_KEY, or nobody"
        " loses access there"
    )


def test_a_target_that_is_needed_as_it_was() -> None:
    def gone(_: str) -> None:
        raise PermanentFailure("the variable OLD_DB_URL is not set")

    found = targets.look_at_former(
        lambda _: None, lambda _: ("OLD_DB_URL", "CA"), lambda _: False, "orders-db"
    )
    assert list(found) == [
        look_at(
            "target orders-db",
            "is no longer in access.yaml, or has another address now, while something is held there; its old"
            " address is kept, for revoking only",
            "it is dropped once nothing is held there; until then, keep OLD_DB_URL and CA set where the"
            " workers run",
        )
    ]
    assert list(targets.look_at_former(gone, lambda _: (), lambda _: True, "orders-db")) == [
        wrong(
            "target orders-db",
            "the variable OLD_DB_URL is not set",
            "until this is fixed, nobody loses access there",
        )
    ]
