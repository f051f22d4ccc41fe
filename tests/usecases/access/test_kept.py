"""Access that a target cannot show is kept outside the ledger, and can be revoked from there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import State
from bot.core.kept import Kept, latest
from bot.ports.deadline import Deadline
from bot.testing.cast import ADA, EMAILS, HOUR, MINUTE, NINE
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.access.kept import Booked, NoBook, revoke_kept


class Book:
    """A book in memory. It notes whether the access was there when something was written."""

    def __init__(self) -> None:
        self.lines: list[Kept] = []
        self.had: list[bool] = []
        self.story: Story | None = None
        self.full = False

    def write(self, kept: Kept) -> None:
        if self.full:
            raise PermanentFailure("the disk is full")
        self.lines.append(kept)
        self.had.append(bool(self.story and self.story.target.accounts("orders_rw")))

    @property
    def open(self) -> list[Kept]:
        return [each for each in latest(self.lines).values() if not each.gone]


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def story(book: Book) -> Story:
    target = FakeTarget(lambda: made.now, marks=False)
    booked = cast("FakeTarget", Booked(target, book, lambda: made.now))
    made = Story(targets={"orders-db": booked})
    made.target = target
    book.story = made
    return made


def test_it_is_in_the_book_before_it_is_granted_and_out_of_it_when_it_is_gone(
    story: Story, book: Book
) -> None:
    story.ask(ADA, length="2h")
    story.run_due()
    assert story.has(ADA)
    [kept] = book.open
    assert (kept.hold.account, kept.until) == (EMAILS[ADA], NINE + timedelta(hours=2))
    assert book.had[0] is False
    assert story.target.count("grant") == 1

    story.pass_time(2 * HOUR + MINUTE)
    assert not story.has(ADA)
    assert book.open == []


def test_the_book_has_the_end_that_moved(story: Story, book: Book) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.extend(ADA, grant, 2 * HOUR)
    story.run_due()
    [kept] = book.open
    assert kept.until == NINE + timedelta(hours=3)


def test_nothing_is_granted_that_could_not_be_written_down(story: Story, book: Book) -> None:
    book.full = True
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert not story.has(ADA)
    assert "the disk is full" in (story.grant(grant).trouble or "")


def test_a_full_disk_holds_up_no_revocation(story: Story, book: Book) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    book.full = True
    story.pass_time(HOUR + MINUTE)
    assert not story.has(ADA)
    assert story.grant(grant).state is State.ENDED


def test_a_worker_that_dies_while_granting_leaves_it_in_the_book(story: Story, book: Book) -> None:
    story.target.failing["grant"] = TemporaryFailure("no answer")
    story.target.loses_answers.add("grant")
    story.ask(ADA, length="1h")
    story.run_due()
    assert story.has(ADA)
    [kept] = book.open

    done = revoke_kept(kept, lambda _: story.target, Deadline.after(5))
    assert done.trouble == ""
    assert not story.has(ADA)


def test_from_the_book_it_is_revoked_without_the_ledger_and_what_others_made_stays(
    story: Story, book: Book
) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    [kept] = book.open
    story.target.give_by_hand("somebody@example.com", kept.hold.entitlement)

    for _ in range(2):
        assert revoke_kept(kept, lambda _: story.target, Deadline.after(5)).trouble == ""
    assert story.target.accounts("orders_rw") == {"somebody@example.com"}


def test_what_cannot_be_revoked_from_the_book_says_why(story: Story, book: Book) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    [kept] = book.open
    story.target.failing["revoke"] = TemporaryFailure("orders-db does not answer")
    outcome = revoke_kept(kept, lambda _: story.target, Deadline.after(5))
    assert outcome.trouble == "orders-db does not answer"

    story.target.failing.clear()
    another = replace(kept, receipts=tuple(replace(each, system="another") for each in kept.receipts))
    outcome = revoke_kept(another, lambda _: story.target, Deadline.after(5))
    assert "orders-db is another system now" in outcome.trouble
    assert story.has(ADA)


def test_without_a_book_nothing_is_granted(story: Story, book: Book) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    [kept] = book.open
    with pytest.raises(PermanentFailure, match=r"name one in access.yaml under audit: \{anchor: \{file"):
        NoBook("hook").write(kept)
    NoBook("hook").write(replace(kept, gone=True))


def test_a_booked_target_can_what_its_target_can(book: Book) -> None:
    class Cautious(FakeTarget):
        def warnings(self) -> str:
            return "careful"

    target = Cautious(lambda: NINE, marks=False)
    booked = Booked(target, book, lambda: NINE)
    assert booked.abilities == replace(target.abilities, hears_end=True)
    assert booked.warnings() == "careful"  # type: ignore[operator]
    assert getattr(Booked(FakeTarget(lambda: NINE), book, lambda: NINE), "warnings", None) is None
