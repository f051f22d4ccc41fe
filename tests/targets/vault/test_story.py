"""From a request to its end at a real OpenBao, also while it fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from bot.core.catalog import Entitlement
from bot.core.grants import Grant, State
from bot.core.reasons import Why
from bot.ports.documents import Key
from bot.slack.views.cards import card
from bot.targets.vault.settings import VaultSettings
from bot.testing.cast import ADA, EMAILS, HOUR, MINUTE, PROD_DB, catalog
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.notifications import cards
from tests.slack.scenes import texts
from tests.targets.vault.server import OpenBao
from tests.targets.vault.stage import VaultStage, on_vault


@pytest.fixture
def stage(openbao: OpenBao) -> Iterator[VaultStage]:
    with on_vault(openbao) as stage:
        yield stage


@pytest.fixture
def story(stage: VaultStage) -> Story:
    gives = (Entitlement(target="vault", what=(("policies", stage.policy),)),)
    policy = catalog(replace(PROD_DB, gives=gives))
    settings = VaultSettings(kind="vault", url=stage.admin.url)
    notes = {**policy.session_notes, "vault": settings.sessions_end}
    email = {"name": EMAILS[ADA]}
    stage.admin.ask("POST", f"identity/entity/id/{stage.entities['ada']}", email)
    target = cast("FakeTarget", stage.vault(stage.relay.url))
    return Story(replace(policy, session_notes=notes), targets={"vault": target})


def said(story: Story, grant: str) -> str:
    basis, snap = story.context.read_basis(lambda _: {Key.of(Grant, grant)})
    return " ".join(texts(card(cards.card_view(story.context, story.grant(grant), basis, snap), "holder")[1]))


def test_a_request_that_is_extended_and_ends(story: Story, stage: VaultStage) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()

    assert stage.has_it("ada")
    assert story.grant(grant).state is State.ACTIVE
    assert "Tokens lose it at once; credentials already issued last until their own end." in said(
        story, grant
    )

    story.extend(ADA, grant, 2 * HOUR)
    story.pass_time(HOUR + MINUTE)
    assert stage.has_it("ada")

    story.pass_time(2 * HOUR)
    assert not stage.has_it("ada")
    assert story.grant(grant).state is State.ENDED
    assert story.record(grant) is None


def test_nobody_is_told_granted_while_the_answer_is_lost(story: Story, stage: VaultStage) -> None:
    stage.relay.faults.loses = lambda call: call[1].startswith("identity/group/name/") and call[0] == "POST"
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert stage.has_it("ada")
    assert story.grant(grant).state is not State.ACTIVE

    story.pass_time(2 * HOUR)

    assert not stage.has_it("ada")
    assert story.grant(grant).state is State.ENDED


def test_a_vault_that_is_sealed_at_the_end_is_overdue_and_loses_no_revocation(
    story: Story, stage: VaultStage
) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.pass_time(HOUR - MINUTE)
    stage.relay.faults.changes = lambda *_: (503, {"errors": ["Vault is sealed"], "sealed": True})
    story.pass_time(2 * MINUTE)

    assert story.grant(grant).state is State.ENDING
    assert story.grant(grant).overdue_since
    assert stage.has_it("ada")

    stage.relay.faults.changes = None
    story.pass_time(10 * MINUTE)
    assert not stage.has_it("ada")
    assert story.grant(grant).state is State.ENDED


def test_a_grant_whose_group_an_administrator_emptied_ends_and_the_group_goes(
    story: Story, stage: VaultStage
) -> None:
    grant = story.ask(ADA, length="4h").standing.grant.id
    story.run_due()
    [group] = [each for name, each in stage.admin.groups().items() if name.startswith(f"{stage.prefix}-")]
    stage.admin.ask("POST", f"identity/group/id/{group['id']}", {"member_entity_ids": []})

    story.pass_time(HOUR)

    assert not stage.has_it("ada")
    ended = story.grant(grant).ended
    assert ended is not None
    assert ended.why is Why.HAND_REMOVED
    assert f"{stage.prefix}-" not in "".join(stage.admin.groups())
