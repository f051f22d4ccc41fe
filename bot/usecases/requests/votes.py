"""Decisions of approvers: one click each, judged by who clicked, today's policy and facts, and the terms
shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bot.core import grants
from bot.core.catalog import Resource
from bot.core.errors import Refused, refuse
from bot.core.grants import LIVE, Extension, Grant, State, Vote
from bot.core.policy import (
    approval_ground,
    one_human,
    question_of,
    requester_objection,
    vote_objection,
    wanted_end,
)
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Due, Entry, Snapshot
from bot.ports.documents import Card, Key, Note
from bot.usecases.context import (
    Basis,
    Context,
    commit_standing,
    facts_of,
    grant_keys,
    read_standing,
    security_keys,
)
from bot.usecases.notes import note_change
from bot.usecases.requests.admit import gives_the_same, ground_facts, lease_move
from bot.usecases.requests.granting import grant_outcome, terms_now, votes_that_count
from bot.usecases.requests.reasons_fit import reason_still_fits
from bot.usecases.requests.visible import hidden_from
from bot.usecases.requests.waiting import close_change
from bot.usecases.results import Standing
from bot.usecases.retry import retry_conflicts


def approve(
    context: Context, *, person: str, grant: str, length: int | None, op: str, terms: str | None = None
) -> Standing:
    """Record one approval by ``person`` of a request or an extension; ``length`` in seconds shortens what is
    given. ``terms`` is the digest that the button had; None if the approval was typed, which counts only if
    this person was shown exactly these terms. Raises Refused; with TERMS_CHANGED if the terms are others now,
    and then nothing is decided.

    The requester and the voters are looked up at this moment. If Slack does not answer that fast, what was
    known within a day counts, and the worker looks the requester up as soon as Slack answers: an outage of
    Slack's API must neither keep people out nor keep somebody in who is gone.
    """
    known = context.grant(grant)
    context.look_up_people(known.person, person, *_voters(known, grant), again=True)
    if terms is None:
        card = context.ledger.read({Key.of(Card, grant)}).find(Card, grant) or Card()
        dms = [each.terms for each in card.places if each.person == person and each.terms]
        shown = card.told.get(person) or (dms[-1] if dms else "")
    else:
        shown = terms

    def attempt() -> Standing:
        return _approve(context, _open(context, known, grant, person), person, length, op, shown)

    done = context.once(op, "approval", person, attempt)
    return read_standing(context, done) if isinstance(done, str) else done


def deny(
    context: Context, *, person: str, grant: str, why: str, op: str, terms: str | None = None
) -> Standing:
    """Turn a request or an extension down, with a reason if one was given. ``terms`` as for ``approve``, but
    a denial that was typed needs none. Raises Refused."""
    context.look_up_people(person, again=True)

    def attempt() -> Standing:
        poll = _open(context, context.grant(grant), grant, person)
        catalog, snap = poll.basis
        against = vote_objection(person, poll.grant, poll.resource, catalog, facts_of(snap, poll.resource))
        if against:
            raise Refused(against)
        if terms is not None and terms != poll.terms:
            raise refuse(Why.TERMS_CHANGED, grant=poll.id)
        said = because(Why.DENIED, said=why.strip()[:300]) if why.strip() else None
        if poll.extension:
            moved, change = _extension_denial(poll, person, said)
        else:
            moved = grants.deny(poll.grant, person=person, now=snap.now, because_of=said)
            change = close_change(moved, snap, "denied", person)
        return commit_standing(context, replace(change, op=op, answer=poll.grant.id), moved, poll.basis)

    done = context.once(op, "denial", person, attempt)
    return read_standing(context, done) if isinstance(done, str) else done


def note_terms_shown(context: Context, *, person: str, grant: str, terms: str) -> None:
    """Commit that this person was shown these terms, so that they may type their approval."""
    key = Key.of(Card, grant)

    def attempt() -> None:
        snap = context.ledger.read({key})
        card = snap.find(Card, grant) or Card()
        told = {**card.told, person: terms}
        context.ledger.commit(Change(rests_on=(snap,), put={key: replace(card, told=told)}))

    retry_conflicts(attempt)


def _voters(grant: Grant, which: str) -> tuple[str, ...]:
    extension = grant.extension
    votes = extension.votes if extension and extension.id == which else grant.votes
    return tuple(vote.person for vote in votes)


@dataclass(frozen=True, kw_only=True)
class _Poll:
    """The subject of a vote: a request, or an extension of what it gave."""

    grant: Grant
    extension: Extension | None
    resource: Resource
    basis: Basis

    @property
    def id(self) -> str:
        return self.extension.id if self.extension else self.grant.id

    @property
    def votes(self) -> tuple[Vote, ...]:
        return self.extension.votes if self.extension else self.grant.votes

    @property
    def terms(self) -> str:
        return terms_now(self.grant, self.resource, self.basis, self.extension)

    def with_votes(self, votes: tuple[Vote, ...]) -> _Poll:
        if self.extension is None:
            grant = replace(self.grant, votes=votes, approvals=self.resource.approvals)
            return replace(self, grant=grant)
        grant = grants.vote_extension(self.grant, votes, approvals=self.resource.approvals)
        return replace(self, grant=grant, extension=grant.extension)

    def for_less(self, length: int | None) -> _Poll:
        """Return the poll for the length that the approver gives. Raises Refused if it is more than was
        requested."""
        if length is None:
            return self
        now, grant = self.basis[1].now, self.grant
        since = (grant.until if self.extension else grant.starts_at) or now
        if self.extension is None and grant.length is not None:
            asked = grant.length
        else:
            question = question_of(grant, self.resource, self.extension)
            longest = timedelta(seconds=self.resource.lengths.max)
            end = wanted_end(question, facts_of(self.basis[1], self.resource)) or now + longest
            asked = min(max(int((end - since).total_seconds()), 0), self.resource.lengths.max)
        if length > asked:
            raise refuse(Why.SHORTER_ONLY, asked_s=asked)
        if self.extension is None:
            wished = grant.wished or (asked if length < asked else None)
            return replace(self, grant=replace(grant, length=max(length, 1), wished=wished))
        shorter = replace(self.extension, until=since + timedelta(seconds=length), ends_with=None)
        return replace(self, grant=grants.change_extension(grant, shorter), extension=shorter)

    def vote_change(self, person: str) -> Change:
        """Return what must be written for a vote that is not the last one needed."""
        grant, snap = self.grant, self.basis[1]
        facts = {"person": grant.person, "votes": len(self.votes), "needed": self.resource.approvals}
        return Change(
            rests_on=(snap,),
            put={Key.of(Grant, grant.id): grant},
            due=tuple(Due.card(each, at=snap.now) for each in dict.fromkeys((grant.id, self.id))),
            audit=(Entry(what="voted", grant=grant.id, by=person, facts=facts),),
        )


def _approve(context: Context, poll: _Poll, person: str, length: int | None, op: str, terms: str) -> Standing:
    catalog, snap = poll.basis
    facts = facts_of(snap, poll.resource)
    objection = vote_objection(person, poll.grant, poll.resource, catalog, facts)
    if objection:
        raise Refused(objection)
    shown, poll = poll, poll.for_less(length)
    fits = reason_still_fits(poll.grant, poll.resource, catalog)
    question = question_of(poll.grant, poll.resource, poll.extension, reason_fits=fits)
    objection = requester_objection(question, catalog, facts)
    if objection:
        raise Refused(objection)
    now_terms = shown.terms
    if terms != now_terms:
        raise refuse(Why.TERMS_CHANGED, grant=shown.id)
    before = shown.votes
    counted = votes_that_count(before, shown.grant, shown.resource, shown.basis, now_terms)
    if any(one_human(person, each.person, catalog, facts) for each in counted):
        raise refuse(Why.VOTED_ALREADY)
    final = poll.terms
    # A vote for more covers what is now less.
    counted = tuple(replace(each, terms=final) for each in counted)
    votes = grants.one_more(counted, poll.grant.person, person=person, now=snap.now, terms=final)
    poll = poll.with_votes(votes)
    if len(votes) < poll.resource.approvals:
        moved, change = poll.grant, poll.vote_change(person)
    elif poll.extension:
        moved, change = _extension_approval(poll, person)
    else:
        # An older version wrote extensions as requests, whose length counts from the end of what they extend.
        grant = poll.grant
        end = snap.leases.get(grant.follows) if grant.follows else None
        if end and grant.length is not None:
            grant = replace(grant, length=grant.length + int((end - snap.now).total_seconds()))
        question = question_of(grant, poll.resource)
        ground = approval_ground(question, tuple(each.person for each in votes), facts)
        moved, change = grant_outcome(poll.grant, ground, poll.resource, poll.basis)
    change = change.plus(_fallen_notes(before, poll, now_terms, context))
    return commit_standing(context, replace(change, op=op, answer=poll.grant.id), moved, poll.basis)


def _extension_approval(poll: _Poll, person: str) -> tuple[Grant, Change]:
    """Return the grant with the extension as a ground, and what must be written, with a note to its holder.
    Raises Refused if the resource no longer gives exactly what the grant holds."""
    catalog, snap = poll.basis
    if not gives_the_same(poll.grant, poll.resource, catalog, snap):
        raise refuse(Why.GIVES_OTHER, resource=poll.resource.name)
    question = question_of(poll.grant, poll.resource, poll.extension)
    voters = tuple(each.person for each in poll.votes)
    ground = approval_ground(question, voters, facts_of(snap, poll.resource))
    moved = grants.approve_extension(poll.grant, ground)
    change = lease_move(poll.grant, moved, snap, by=person, what="extended", facts=ground_facts(ground))
    until = moved.until or ground.until
    reason = because(Why.EXTENDED, by_person=person, resource=moved.resource, until_at=int(until.timestamp()))
    return moved, replace(change, frees=False).plus(extension_news(poll.grant, poll.id, reason, snap))


def extension_news(grant: Grant, extension: str, reason: Reason, snap: Snapshot) -> Change:
    """Return what is owed once an extension was decided: its message, and a note to the holder."""
    note = Note(id=f"extension-{extension}", channel=grant.person, reason=reason)
    return Change(due=(Due.card(extension, at=snap.now),)).plus(note_change(snap.now, note))


def _fallen_notes(before: tuple[Vote, ...], poll: _Poll, terms: str, context: Context) -> Change:
    """Return notes to the people whose approval was for other terms: it no longer counts."""
    grant, snap = poll.grant, poll.basis[1]
    reason = because(Why.VOTE_FELL, person=grant.person, resource=grant.resource)
    now_in = {each.person for each in poll.votes}
    notes = [
        Note(id=context.new_id(), channel=each.person, reason=reason)
        for each in before
        if each.terms != terms and each.person not in now_in
    ]
    return note_change(snap.now, *notes)


def _extension_denial(poll: _Poll, person: str, said: Reason | None) -> tuple[Grant, Change]:
    snap = poll.basis[1]
    moved = grants.deny_extension(poll.grant, person=person, now=snap.now, why=said)
    facts = {"person": moved.person, "resource": moved.resource, **(said.facts if said else {})}
    change = Change(
        rests_on=(snap,),
        put={Key.of(Grant, moved.id): moved},
        index={("asked", moved.id): False},
        due=(Due.card(moved.id, at=snap.now),),
        audit=(Entry(what="extension denied", grant=moved.id, by=person, facts=facts),),
    )
    about = {"by_person": person, "resource": moved.resource, **(said.facts if said else {})}
    if moved.until:
        about["until_at"] = int(moved.until.timestamp())
    reason = because(Why.EXTENSION_DENIED, **about)
    return moved, change.plus(extension_news(poll.grant, poll.id, reason, snap))


def _open(context: Context, known: Grant, which: str, person: str) -> _Poll:
    """Read what is voted on, with all that judging it needs. ``known`` is the grant as it was read before,
    to know whose facts are needed. Raises Refused if it is decided or over already."""
    people: set[str] = {person, known.person, *_voters(known, which)}
    while True:
        catalog, snap = context.read_basis(
            lambda policy: grant_keys(policy, known, *people) | security_keys(policy),
            (f"person:{known.person}",),
        )
        grant = snap.find(Grant, known.id)
        if grant is None:
            raise refuse(Why.GRANT_UNKNOWN, grant=which[:40])
        if people.issuperset(_voters(grant, which)):
            break
        people.update(_voters(grant, which))  # somebody has voted meanwhile
    resource = catalog.resources.get(grant.resource)
    if resource and grant.person != person and hidden_from(person, resource, catalog, snap):
        raise refuse(Why.GRANT_UNKNOWN, grant=which[:40])
    extension = _waiting_extension(grant, which, snap) if which != grant.id else None
    if extension is None:
        if grant.state is not State.ASKED:
            raise refuse(Why.DECIDED_ALREADY, state=grant.state.value, **grants.decided_by(grant))
        if grant.lapses_at and grant.lapses_at <= snap.now:
            raise refuse(Why.ASK_LAPSED)
        if grant.undecided:
            raise refuse(Why.APPROVER_UNCLEAR)
    if resource is None:
        raise refuse(Why.RESOURCE_GONE, resource=grant.resource)
    return _Poll(grant=grant, extension=extension, resource=resource, basis=(catalog, snap))


def _waiting_extension(grant: Grant, which: str, snap: Snapshot) -> Extension:
    found = next((each for each in grant.extensions if each.id == which), None)
    if found is None:
        raise refuse(Why.GRANT_UNKNOWN, grant=which[:40])
    if found.answer:
        by = {"by_person": found.decided_by} if found.decided_by else {}
        raise refuse(Why.DECIDED_ALREADY, state=found.answer.value, **by)
    if grant.state not in LIVE or not snap.live(grant):
        raise refuse(Why.GRANT_OVER, resource=grant.resource)
    return found
