"""The process dies at any point of handling a stray, or of reporting what is overdue: another one goes on,
and in the end all is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.catalog import Lengths, SourceRules, StrayMode, StrayRules
from bot.core.errors import Refused, TemporaryFailure
from bot.core.grants import State
from bot.core.holds import Hold, HoldRecord
from bot.ports.documents import Key
from bot.ports.ledger import CLAIM_SECONDS
from bot.testing.cast import ADA, BOB, EMAILS, EVE, MINUTE, PROD_DB, SCHEMA_MIGRATION, catalog
from bot.testing.fuse import Died, Fuse
from bot.testing.story import Story
from bot.usecases.access.overdue import confirm_removal
from bot.usecases.strays.search import open_strays
from bot.usecases.strays.verdicts import adopt, leave, remove

[ROLE] = PROD_DB.gives
HERS = Hold(target="orders-db", account=EMAILS[EVE], entitlement=ROLE)
QUIET = {"pagerduty": SourceRules(every=86_400, stale_after=200_000)}


class Told:
    """A story in which the process dies once, at the action with that number."""

    def __init__(self, mode: StrayMode, deaths: int) -> None:
        prod_db = replace(PROD_DB, lengths=Lengths(default=MINUTE, max=10 * MINUTE))
        resources = {"prod-db": prod_db, "schema-migration": SCHEMA_MIGRATION}
        policy = replace(catalog(), resources=resources, sources=QUIET, strays=StrayRules(mode=mode))
        self.story = Story(policy)
        self.fuse = Fuse(self.story)
        self.deaths = deaths

    def die(self) -> None:
        """Die from here on."""
        self.fuse.left = self.deaths

    def live(self) -> bool:
        """Stop dying, and return whether the process died at all."""
        died, self.fuse.left = self.fuse.burnt, None
        return not died

    def wait(self, seconds: float) -> None:
        end = self.story.now.timestamp() + seconds
        while (left := end - self.story.now.timestamp()) > 0:
            try:
                self.story.pass_time(left)
            except Died:
                self.another()

    def click(self, verdict: Callable[..., None], who: str) -> None:
        """Click, and click again as Slack does if there was no answer."""
        with self.fuse.off():
            alert = next(iter(self.story.messenger.alerts.values())).id
        for _ in range(2):
            try:
                verdict(self.story.context, person=who, alert=alert, op="click-1")
            except Died:
                self.another()
            except Refused:
                return

    def another(self) -> None:
        self.story.context = self.story.another_context()
        self.story.memory.advance(CLAIM_SECONDS + 0.001)

    def count(self, what: str) -> int:
        return [entry.what for entry in self.story.audit()].count(what)


def wherever_it_dies(tell: Callable[[int], bool], least: int) -> None:
    deaths = 0
    while not tell(deaths):
        deaths += 1
    assert deaths > least


def test_a_stray_is_found_and_taken_wherever_the_process_dies() -> None:
    def tell(deaths: int) -> bool:
        told = Told(StrayMode.ENFORCE, deaths)
        told.story.target.stray(EMAILS[EVE], ROLE)
        told.die()
        told.wait(12 * MINUTE)
        lived = told.live()
        told.wait(2 * MINUTE)
        assert not told.story.has(EVE), deaths
        assert open_strays(told.story.ledger) == (), deaths
        counts = [told.count(what) for what in ("stray found", "taking stray", "stray gone")]
        assert counts == [1, 1, 1], deaths
        told_in_the_end(told)
        nothing_is_left(told)
        return lived

    wherever_it_dies(tell, least=15)


@pytest.mark.parametrize("verdict", [adopt, remove, leave])
def test_a_verdict_counts_once_wherever_the_process_dies(verdict: Callable[..., None]) -> None:
    def tell(deaths: int) -> bool:
        told = Told(StrayMode.ASK, deaths)
        told.story.target.stray(EMAILS[EVE], ROLE)
        told.wait(11 * MINUTE)
        told.die()
        told.click(verdict, BOB)
        told.wait(30)
        lived = told.live()
        told.wait(12 * MINUTE)
        counts = {each: told.count(each) for each in ("taking stray", "stray left", "stray adopted")}
        assert sum(counts.values()) == 1, (deaths, counts)
        assert told.story.has(EVE) is not counts["taking stray"], deaths
        assert told.story.target.count("grant") == 0, deaths
        if counts["stray adopted"]:
            told.wait(10 * MINUTE)
        assert told.story.has(EVE) is bool(counts["stray left"]), deaths
        nothing_is_left(told)
        return lived

    wherever_it_dies(tell, least=8)


def test_what_is_overdue_is_told_and_told_to_be_gone_wherever_the_process_dies() -> None:
    def tell(deaths: int) -> bool:
        told = Told(StrayMode.ASK, deaths)
        grant = told.story.ask(ADA, length="2m").standing.grant.id
        told.wait(2 * MINUTE - 1)
        told.story.target.failing["revoke"] = TemporaryFailure("down")
        told.die()
        told.wait(2 * MINUTE)
        if told.story.messenger.alerts:
            told.click(confirm_removal, BOB)
        told.story.target.failing.clear()
        told.wait(8 * MINUTE)
        lived = told.live()
        told.wait(MINUTE)
        assert told.story.grant(grant).state is State.ENDED, deaths
        assert told.count("overdue") == 1, deaths
        told_in_the_end(told)
        nothing_is_left(told)
        return lived

    wherever_it_dies(tell, least=15)


def told_in_the_end(told: Told) -> None:
    """Check the alert in the end. It may be posted twice, if the process died before it noted where."""
    shown = list(told.story.messenger.alerts.values())
    assert 1 <= len(shown) <= 2, told.deaths
    assert shown[-1].over, told.deaths


def nothing_is_left(told: Told) -> None:
    record = told.story.memory.read({Key.of(HoldRecord, HERS.key)}).find(HoldRecord, HERS.key)
    assert record is None
    told.story.memory.advance(400 * 86_400)
    owed = [claim.member for claim in told.story.memory.claim(1_000, 1_000, {}).claims]
    assert not [member for member in owed if member.startswith(("hold:", "card:", "note:", "alarm:"))]
