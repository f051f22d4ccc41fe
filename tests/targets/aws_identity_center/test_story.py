"""From a request to its end in an AWS account, also while AWS takes its time or fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from bot.core.catalog import Catalog, Entitlement
from bot.core.grants import Grant, State
from bot.ports.documents import Key
from bot.slack.views.cards import card
from bot.targets.aws_identity_center.settings import AwsIdentityCenterSettings
from bot.targets.aws_identity_center.target import IdentityCenter
from bot.testing.cast import ADA, BOB, DAN, EMAILS, HOUR, MINUTE, PROD_DB, catalog
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.notifications import cards
from tests.slack.scenes import texts
from tests.targets.aws_identity_center.cloud import ACCOUNT, REGION, Cloud
from tests.targets.aws_identity_center.stage import SET, ServedCloud

IN_PRODUCTION = Entitlement(target="aws", what=(("account", ACCOUNT), ("permission_set", SET)))


@pytest.fixture
def cloud(aws: ServedCloud) -> Cloud:
    aws.cloud.renew()
    for who in (ADA, BOB, DAN):
        aws.cloud.add_user(EMAILS[who])
    aws.cloud.add_permission_set(SET)
    return aws.cloud


def policy(cloud: Cloud, *gives: Entitlement, session_duration: str | None = None) -> Catalog:
    keys = {"kind": "aws-identity-center", "instance": cloud.instance, "region": REGION}
    if session_duration:
        keys["session_duration"] = session_duration
    note = AwsIdentityCenterSettings.model_validate(keys).sessions_end
    made = catalog(replace(PROD_DB, gives=gives or (IN_PRODUCTION,)))
    return replace(made, session_notes={**made.session_notes, "aws": note})


@pytest.fixture
def story(aws: ServedCloud, cloud: Cloud) -> Iterator[Story]:
    target = IdentityCenter("aws", cloud.instance, REGION, aws.url, session=aws.session)
    yield Story(policy(cloud), targets={"aws": cast("FakeTarget", target)})
    cloud.hurry.set()


def said(story: Story, grant: str) -> str:
    basis, snap = story.context.read_basis(lambda _: {Key.of(Grant, grant)})
    return " ".join(texts(card(cards.card_view(story.context, story.grant(grant), basis, snap), "holder")[1]))


def having(cloud: Cloud) -> set[str]:
    return {user for user, name in cloud.assigned() if name == SET}


def test_a_request_to_its_end(story: Story, cloud: Cloud) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert having(cloud) == {cloud.user_id(EMAILS[ADA])}
    assert story.grant(grant).state is State.ACTIVE
    assert f"Gives {ACCOUNT}, {SET} on aws." in said(story, grant)

    story.extend(ADA, grant, HOUR)
    story.run_due()
    story.pass_time(HOUR + MINUTE)
    assert having(cloud) == {cloud.user_id(EMAILS[ADA])}

    story.pass_time(HOUR)
    assert having(cloud) == set()
    assert story.grant(grant).state is State.ENDED
    assert story.record(grant) is None


def test_nobody_is_told_granted_while_aws_is_still_at_it(story: Story, cloud: Cloud) -> None:
    cloud.faults.polls = None
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    assert story.grant(grant).state is State.APPROVED
    assert "AWS is still assigning the permission set" in (story.grant(grant).trouble or "")

    cloud.finish()
    story.pass_time(MINUTE)
    assert story.grant(grant).state is State.ACTIVE
    assert cloud.calls.count("CreateAccountAssignment") == 1

    cloud.faults.polls = 0
    story.give_back(DAN)
    story.run_due()
    assert having(cloud) == set()


def test_a_permission_that_is_taken_from_the_bot_loses_no_revocation(story: Story, cloud: Cloud) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    cloud.next_answers("DeleteAccountAssignment", "AccessDeniedException", times=1_000)
    story.pass_time(HOUR + 2 * MINUTE)
    assert story.grant(grant).state is State.ENDING
    assert story.grant(grant).overdue_since
    assert "the bot may not sso:DeleteAccountAssignment: allow it" in (story.grant(grant).trouble or "")

    cloud.faults.errors.clear()
    story.pass_time(10 * MINUTE)
    assert having(cloud) == set()
    assert story.grant(grant).state is State.ENDED


def test_what_the_person_had_before_stays(story: Story, cloud: Cloud) -> None:
    cloud.assign(cloud.user_id(EMAILS[ADA]), cloud.arn(SET))
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.pass_time(2 * HOUR)
    assert story.grant(grant).state is State.ENDED
    assert having(cloud) == {cloud.user_id(EMAILS[ADA])}


def test_the_card_says_for_how_long_sessions_go_on(story: Story, cloud: Cloud) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    line = "Open AWS sessions go on after it ends, for up to the permission set's session duration (at most"
    assert f"{line} 12h)." in said(story, grant)

    story.enact(policy(cloud, session_duration="4h"))
    assert "Open AWS sessions go on for up to 4h after it ends." in said(story, grant)


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ("ended", "Open AWS sessions go on for up to 4h after it ends."),
        ("unknown", "Open AWS sessions go on for up to 4h after it ends."),
        ("Others do.", "Open AWS sessions go on for up to 4h after it ends. Others do."),
        ("kept", "Open sessions stay open when it ends."),
    ],
)
def test_the_worst_of_several_targets_is_said(story: Story, cloud: Cloud, other: str, line: str) -> None:
    made = policy(cloud, IN_PRODUCTION, *PROD_DB.gives, session_duration="4h")
    story.enact(replace(made, session_notes={**made.session_notes, "orders-db": other}))
    grant = story.ask(ADA, length="1h").standing.grant.id
    assert f"{line} " in f"{said(story, grant)} "
