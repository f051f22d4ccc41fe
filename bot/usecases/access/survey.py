"""Looks at all that is held at a target before access that is missing there ends, and asks people if much is.

If a single one was removed by hand, it ends. If several are missing at once, it is likelier that something is
wrong at the target. If nobody can say why one is missing, nobody is blamed. In both cases people are asked,
and nothing ends or is granted again automatically.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.core.catalog import Catalog, Resource
from bot.core.document import Document
from bot.core.errors import Conflict, Refused, TemporaryFailure, refuse
from bot.core.grants import LIVE, Cause, Grant, Ground, Origin, Traced, Vote
from bot.core.hands import LOOK_TWICE, cause_of, is_crowd, missing_after
from bot.core.holds import Absence, HoldRecord, Phase, Presence, Seen
from bot.core.members import YES, for_revoking
from bot.core.policy import Ask, approver_objection, refusal_of, security_objection
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Done, Due, Entry, Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import Alert, Key, Restore, ShiftGrant, Survey
from bot.ports.ledger import Census
from bot.ports.target import Target
from bot.usecases.access.hands import may_be_missing
from bot.usecases.access.outcomes import hold_name
from bot.usecases.access.target_calls import TargetCalls, TargetFailed
from bot.usecases.access.views import View, look, query, view_of
from bot.usecases.context import Basis, Context, fact_keys, facts_of, security_keys, stop_keys
from bot.usecases.job import Job
from bot.usecases.notifications.alerts import alert_change, alert_over_change, became, resources_at
from bot.usecases.requests.admit import admission
from bot.usecases.requests.finish import block_change, ending
from bot.usecases.requests.waiting import unrequested_grant
from bot.usecases.retry import retry_conflicts

AT_A_TIME, PAUSE = 2.0, timedelta(seconds=1)
"""A look at everything is done in pieces, because revoking must not wait for it."""
SETTLES = timedelta(seconds=2)
CHECKED_EVERY = timedelta(minutes=5)
"""The pause after which it is checked whether anything that people were asked about is still missing."""
AT_ONCE = 200
MOST_MISSING = 1_000
"""Missing holds that are dealt with in one go."""
TIME_TO_WRITE = 5.0
NOT_THERE = "not at the target right now"
VERBS = ("grant_again", "end_them")


def survey(context: Context, census: Census, find: Callable[[str], Target], job: Job) -> None:
    """Do the next piece of looking at a target where something is missing (``hands:<name>``), carry out what
    people wished, and be due again while anything is missing. Raises what the target raised."""
    _Round(context, census, find, job).run()


@dataclass(frozen=True)
class _Round:
    context: Context
    census: Census
    find: Callable[[str], Target]
    job: Job

    @property
    def name(self) -> str:
        return self.job.claim.id

    def run(self) -> None:
        """Do one piece, and write how far the survey has come. A change that was not written because somebody
        else was faster is found again by the next look at its hold."""
        ledger, key = self.context.ledger, Key.of(Survey, self.name)
        snap = ledger.read({key, Key.of(Restore)})
        at = snap.find(Survey, self.name) or Survey()
        if snap.find(Restore) or not snap.compared:
            ledger.commit(Change(done=Done(claim=self.job.claim, next_at=snap.now + CHECKED_EVERY)))
            return
        alert = self.context.alert(at.alert) if at.alert else None
        if alert and alert.wish:
            self._carry_out(alert)
        after, pause = self._next(at)
        done = Done(claim=self.job.claim, next_at=snap.now + pause if pause is not None else None)
        ledger.commit(Change(put={key: after if after != Survey() else None}, done=done, frees=True))

    def _next(self, at: Survey) -> tuple[Survey, timedelta | None]:
        if at.began is None:
            waiting, asked = self._count(at.alert)
            if not waiting:
                alert, snap = self._alert(at.alert)
                if alert and not (asked or alert.wish):  # nothing is missing any more that it asks about
                    over = alert_over_change(alert, because(Why.MISSING_SETTLED, target=self.name), snap.now)
                    self.context.ledger.commit(replace(over, rests_on=(snap,), frees=True))
                    alert = None
                return Survey(alert=alert.id if alert else None), CHECKED_EVERY if alert else None
            at = Survey(alert=at.alert, began=self.context.ledger.read().now)

        until = Deadline.after(AT_A_TIME).sooner(Deadline(self.job.deadline.at - TIME_TO_WRITE))
        while at.left or not at.last_page:
            if at.left:
                at = self._look(at, until)
            else:
                page, cursor = self.census.page_of_grants(f"target:{self.name}", at.cursor)
                keys = tuple(view.key for view in self._views(page))
                at = replace(at, cursor=cursor, left=keys, last_page=not cursor)
            if until.is_over:
                return at, PAUSE
        return self._decide(at)

    # --------------------------------------------------------------------------------------- looking

    def _views(self, grants: Sequence[str]) -> Iterator[View]:
        """Yield the holds of these grants at the target; one with several grants only with the one that ends
        last."""
        ledger = self.context.ledger
        for first in range(0, len(grants), AT_ONCE):
            ids = grants[first : first + AT_ONCE]
            found = ledger.read(Key.of(Grant, each) for each in ids)
            live = (grant for grant in found.all(Grant) if grant.state in LIVE and found.live(grant))
            holds = (hold for grant in live for hold in grant.gives if hold.target == self.name)
            keys = [*dict.fromkeys(hold.key for hold in holds)]
            looked_at = Deadline.after(0)
            snaps = ledger.read_all(query(key) for key in keys)
            for key, snap in zip(keys, snaps, strict=True):
                view = view_of(key, snap, looked_at)
                if view and view.last and view.last.id in ids:
                    yield view

    def _look(self, at: Survey, until: Deadline) -> Survey:
        """Look at the holds that are left of a page, as long as there is time; at one in any case."""
        left = deque(at.left)
        missing, held, asked = [*at.missing], at.held, at.asked
        while left:
            view = look(self.context.ledger, left.popleft())
            if view and view.live and view.record.phase is Phase.GIVEN and not view.record.untouchable:
                held += 1
                known = view.record.missing
                if known and known.asked and known.asked == at.alert:
                    asked += 1
                elif len(missing) < MOST_MISSING and (known or self._is_missing(view, at)):
                    missing.append(view.key)
            if until.is_over:
                break
        return replace(at, left=tuple(left), missing=tuple(missing), held=held, asked=asked)

    def _is_missing(self, view: View, at: Survey) -> bool:
        """Return whether the hold is missing, and it is not known why. Look, unless it was seen since the
        survey began. If nothing is there, that is written as the first of two looks; the second one is the
        hold's own."""
        if at.began and view.record.seen_at and view.record.seen_at >= at.began:
            return False
        shown = self._shows(view)
        if shown is None or shown.presence is not Presence.NONE:
            return False
        missing = missing_after(view.record, shown, view.losses, view.now)
        record = replace(view.record, missing=missing, seen_at=None)
        if missing.cause is Absence.TARGET:
            record = replace(view.record, seen_at=None)
        due = Due.hold(view.key, at=view.now if missing.cause else view.now + LOOK_TWICE)
        put = {Key.of(HoldRecord, view.key): record}
        try:
            self.context.ledger.commit(Change(rests_on=(view.snap,), put=put, due=(due,), frees=True))
        except Conflict:
            return False
        return missing.cause is None

    def _shows(self, view: View) -> Seen | None:
        """Return what the target shows; None if that cannot be known, or proves nothing. Raises
        TemporaryFailure if the target does not answer."""
        try:
            calls = TargetCalls(self.find, self.name, self.job)
        except TargetFailed:
            return None
        if not may_be_missing(view, knows_end=calls.knows_end):
            return None
        try:
            return calls.look(view)
        except TargetFailed as raised:
            if raised.seen is None and isinstance(raised.failure, TemporaryFailure):
                raise raised.failure from raised
            return None

    def _count(self, alert: str | None) -> tuple[bool, int]:
        """Return whether anything is missing that nothing is done about yet, and how many holds this alert
        asks about."""
        waiting, asked, cursor = False, 0, 0
        while True:
            page, cursor = self.census.page_of_grants(f"target:{self.name}", cursor)
            for view in self._views(page):
                missing = view.record.missing
                asks = missing is not None and missing.asked is not None and missing.asked == alert
                asked += asks
                waiting = waiting or (missing is not None and bool(missing.cause) and not asks)
            if not cursor or self.job.deadline.seconds_left() < TIME_TO_WRITE:
                return waiting or bool(cursor), asked

    # -------------------------------------------------------------------------------------- deciding

    def _decide(self, at: Survey) -> tuple[Survey, timedelta | None]:
        """End the grants behind a single hold that was removed by hand, if one more look confirms it, and ask
        people about everything else."""
        views = [view for key in at.missing if (view := look(self.context.ledger, key))]
        missing = [(view, view.record.missing) for view in views if view.live and view.record.missing]
        if any(each.cause is None for _, each in missing):
            return at, SETTLES
        unclear: list[View] = []
        crowd = is_crowd(len(missing) + at.asked, at.held, self.context.catalog().strays.share)
        for view, known in missing:
            if crowd or known.cause is not Absence.HAND:
                unclear.append(view)
                continue
            shown = self._shows(view)
            if shown is None or shown.presence is not Presence.NONE:
                continue
            if cause_of(view.record, known, shown, view.losses) is Absence.HAND:
                parts = [_end_by_hand(grant, view, _basis(self.context, grant)) for grant in view.live]
                self._try(Change(rests_on=(view.snap,), frees=True).plus(*parts))
        alert = self._ask(unclear, at) if unclear else at.alert
        return Survey(alert=alert), CHECKED_EVERY if alert else None

    def _ask(self, views: Sequence[View], at: Survey) -> str:
        """Ask people about these, in one message for the target. The cards of their grants say that the
        access is not there."""
        known, snap = self._alert(at.alert)
        count = len(views) + (at.asked if known else 0)
        reason = because(Why.MISSING_MANY, target=self.name, count=count, held=max(at.held, count))
        if count == 1 and (last := views[0].last):
            access = str(views[0].hold.entitlement)
            reason = because(
                Why.MISSING_ONE, target=self.name, person=last.person, resource=last.resource, access=access
            )
        first = Alert(id=self.context.new_id(), reason=reason, asks=True, verbs=VERBS, target=self.name)
        alert = replace(known, reason=reason) if known else first
        entry = Entry(what="missing at the target", facts={"target": self.name, "count": count})
        change = replace(alert_change(alert, snap.now), rests_on=(snap,), audit=(entry,), frees=True)
        here = Key.of(Survey, self.name)  # so that after a crash these are asked about in the same message
        self.context.ledger.commit(replace(change, put={**change.put, here: Survey(alert=alert.id)}))
        for view in views:
            missing = replace(view.record.missing, asked=alert.id) if view.record.missing else None
            put: dict[Key, Document | None] = {
                Key.of(HoldRecord, view.key): replace(view.record, missing=missing),
                **{Key.of(Grant, each.id): replace(each, trouble=NOT_THERE) for each in view.live},
            }
            cards = tuple(Due.card(grant.id, at=view.now) for grant in view.live)
            self._try(Change(rests_on=(view.snap,), put=put, due=cards, frees=True))
        return alert.id

    def _alert(self, alert_id: str | None) -> tuple[Alert | None, Snapshot]:
        """Return the alert if it is not over."""
        snap = self.context.ledger.read({Key.of(Alert, alert_id)} if alert_id else ())
        found = snap.find(Alert, alert_id) if alert_id else None
        return (found if found and not found.over_at else None), snap

    def _try(self, change: Change) -> bool:
        try:
            self.context.ledger.commit(change)
        except Conflict:
            return False
        return True

    # ------------------------------------------------------------------------------ what people wished

    def _carry_out(self, alert: Alert) -> None:
        """Do what somebody wished to everything that they may decide about, and show how much is left."""
        left, cursor, whole = 0, 0, False
        while not whole and self.job.deadline.seconds_left() > TIME_TO_WRITE:
            page, cursor = self.census.page_of_grants(f"target:{self.name}", cursor)
            for view in self._views(page):
                if view.record.missing and view.record.missing.asked == alert.id:
                    left += not self._carry_out_for(view, alert)
            whole = not cursor
        if not whole:
            return

        def attempt() -> None:
            key = Key.of(Alert, alert.id)
            snap = self.context.ledger.read({key})
            now, by = snap.find(Alert, alert.id), _wisher(alert)
            if now is None or now.wish != alert.wish:
                return
            done = replace(now, wish=None)
            if left:
                some = because(Why.MISSING_LEFT, by_person=by, count=left)
                change = alert_change(replace(done, became=some, verbs=VERBS), snap.now)
            else:
                why = Why.MISSING_GIVEN if alert.wish == "grant_again" else Why.MISSING_ENDED
                change = alert_over_change(done, because(why, by_person=by, target=self.name), snap.now)
            self.context.ledger.commit(replace(change, rests_on=(snap,), frees=True))

        retry_conflicts(attempt)

    def _carry_out_for(self, view: View, alert: Alert) -> bool:
        """Return whether the wish was carried out for the grants behind a hold."""
        by, ends, done = _wisher(alert), alert.wish == "end_them", [False]
        reason = because(Why.REVOKED if ends else Why.GIVEN_ANEW, by_person=by)
        for grant in view.live:
            own, change = by == grant.person, Change(rests_on=(view.snap,))
            try:
                basis = _basis(self.context, grant, *((by,) if ends else alert.votes))
                if ends and not own and _objection(by, grant, basis, ends=True):
                    continue
                end = ending(grant, view.snap, reason, by)[1]
                if ends:
                    block = Change() if own else _block_change(grant, reason, by, basis)
                    change = replace(change.plus(end, block), frees=True)
                else:
                    again = _again(self.context.new_id(), grant, alert.votes, by, basis)[1]
                    change = replace(again.plus(change, end), frees=False)
                done.append(self._try(change))
            except Refused:
                continue
        if any(done):
            return True
        after = look(self.context.ledger, view.key)  # or it was decided with another hold of the same grant
        return after is None or not after.live or after.has_news


def _wisher(alert: Alert) -> str:
    return str(alert.became.facts["by_person"]) if alert.became else ""


def _block_change(grant: Grant, reason: Reason, by: str | None, basis: Basis) -> Change:
    """Return the change after which no rule gives it back. A request or a shift that begins at the same
    moment does not slip past it."""
    catalog, snap = basis
    block = block_change(grant.person, grant.resource, reason, by, snap, catalog)
    return replace(block, rests_on=(snap,))


def _end_by_hand(grant: Grant, view: View, basis: Basis) -> Change:
    """Return the end of a grant whose access was removed by hand, and an alert by which an approver may grant
    it again."""
    reason = because(Why.HAND_REMOVED, target=view.hold.target)
    about = because(Why.HAND_FOUND, person=grant.person, resource=grant.resource, target=view.hold.target)
    alert = Alert(
        id=f"hand-{grant.id}",
        reason=about,
        grant=grant.id,
        resource=grant.resource,
        asks=True,
        verbs=VERBS[:1],
    )
    entry = Entry(what="removed by a hand", grant=grant.id, facts={"hold": hold_name(view.hold)})
    end = ending(grant, view.snap, reason, None)[1]
    return end.plus(
        alert_change(alert, view.now), Change(audit=(entry,)), _block_change(grant, reason, None, basis)
    )


# ------------------------------------------------------------------------------------------- clicks


def grant_again(context: Context, *, person: str, alert: str, op: str) -> None:
    """Grant again what is missing, or was removed by hand, for at most the time that was left: a new decision
    under today's policy. Raises Refused, also for one's own."""
    _press(context, person, alert, op, "grant_again")


def end_them(context: Context, *, person: str, alert: str, op: str) -> None:
    """End the grants of what is missing. Raises Refused."""
    _press(context, person, alert, op, "end_them")


def _press(context: Context, person: str, alert_id: str, op: str, verb: str) -> None:
    about = context.alert(alert_id)
    holder = about.reason.facts.get("person") if about else None
    context.look_up_people(person, *((str(holder),) if holder else ()), again=True)

    def decision() -> Change:
        alert = context.alert(alert_id)
        if alert is None or alert.over_at or verb not in alert.verbs:
            by = _wisher(alert) if alert and alert.became else ""
            raise refuse(Why.ALERT_SETTLED, **({"by_person": by} if by else {}))
        return _once_more(context, alert, person) if alert.grant else _wish(context, alert, person, verb)

    context.commit_once(op, "decision about what is missing", person, alert_id, decision)


def _wish(context: Context, alert: Alert, person: str, verb: str) -> Change:
    """Return the wish, to be carried out by a worker, which then judges for each grant whether this person
    may decide about it. Raises Refused if they may decide about none."""
    target = alert.target or ""
    catalog, snap = context.read_basis(
        lambda known: {
            Key.of(Alert, alert.id),
            *security_keys(known),
            *(key for each in resources_at(target, known) for key in fact_keys(each, person)),
        }
    )
    if snap.find(Alert, alert.id) != alert:
        raise Conflict
    ends, own = verb == "end_them", alert.reason.facts.get("person") == person
    if own and not ends:
        raise refuse(Why.OWN_AGAIN)
    against = [
        _no_decider(person, each, (catalog, snap), ends=ends) for each in resources_at(target, catalog)
    ]
    if not own and None not in against:
        raise Refused(against[0] if against and against[0] else because(Why.NOT_AN_APPROVER))
    why = Why.MISSING_GIVING if verb == "grant_again" else Why.MISSING_ENDING
    votes = tuple(dict.fromkeys((*alert.votes, person))) if verb == "grant_again" else alert.votes
    wished = replace(became(alert, because(why, by_person=person)), wish=verb, votes=votes)
    entry = Entry(what=f"wish: {verb}", by=person, facts={"target": target})
    carried_out = Change(
        rests_on=(snap,),
        due=(Due.hands(target, at=snap.now),),
        audit=(entry,),
        frees=ends,
    )
    return carried_out.plus(alert_change(wished, snap.now))


def _once_more(context: Context, alert: Alert, person: str) -> Change:
    """Grant again what ended because it was removed by hand, or count one more vote for that."""
    old = context.grant(alert.grant or "")
    votes = tuple(dict.fromkeys((*alert.votes, person)))
    catalog, snap = _basis(context, old, *votes, also=Key.of(Alert, alert.id))
    if snap.find(Alert, alert.id) != alert:
        raise Conflict
    theirs = [each for each in snap.all(Grant) if each.person == old.person and each.resource == old.resource]
    if any(snap.live(each) for each in theirs):
        raise refuse(Why.ALERT_SETTLED)
    if against := _objection(person, old, (catalog, snap)):
        raise Refused(against)
    missing = _more(old, votes, (catalog, snap))
    if missing and person in alert.votes:
        raise refuse(Why.VOTED_ALREADY)
    if missing:
        waits = replace(alert, votes=votes, became=because(Why.MISSING_VOTES, by_person=person, more=missing))
        return replace(alert_change(waits, snap.now), rests_on=(snap,))
    grant, change = _again(context.new_id(), old, votes, person, (catalog, snap))
    until_at = int(grant.until.timestamp()) if grant.until else 0
    reason = because(
        Why.HAND_AGAIN, by_person=person, person=old.person, resource=old.resource, until_at=until_at
    )
    return change.plus(alert_over_change(replace(alert, votes=votes), reason, snap.now))


# ------------------------------------------------------------------------------------------ deciding again


def _basis(context: Context, grant: Grant, *voters: str, also: Key | None = None) -> Basis:
    """Return the policy, and what a decision by these people about the person and the resource of a grant
    rests on."""

    def keys(known: Catalog) -> set[Key]:
        resource = known.resources.get(grant.resource)
        people = (grant.person, *voters)
        own = {Key.of(Grant, grant.id), Key.of(ShiftGrant, f"{grant.resource}/{grant.person}")}
        own |= stop_keys(grant.resource, *people) | security_keys(known) | ({also} if also else set())
        return own | fact_keys(resource, *people) if resource else own

    return context.read_basis(keys, (f"person:{grant.person}",))


def _no_decider(person: str, resource: Resource, basis: Basis, *, ends: bool) -> Reason | None:
    """Return why the person is neither an approver of the resource nor one of the security people."""
    catalog, snap = basis
    facts = for_revoking(facts_of(snap, resource)) if ends else facts_of(snap, resource)
    against = approver_objection(person, resource, catalog, facts)
    if against is None:
        return None
    return None if security_objection(person, catalog, facts) is None else against


def _objection(person: str, grant: Grant, basis: Basis, *, ends: bool = False) -> Reason | None:
    """Return why the person may not decide about this grant."""
    if person == grant.person:
        return because(Why.OWN_AGAIN)
    resource = basis[0].resources.get(grant.resource)
    if resource is None:
        return because(Why.RESOURCE_GONE, resource=grant.resource)
    return _no_decider(person, resource, basis, ends=ends)


def _more(grant: Grant, votes: Iterable[str], basis: Basis) -> int:
    """Return how many more people have to ask for it to be granted again."""
    resource = basis[0].resources[grant.resource]
    return max(resource.approvals - sum(_objection(each, grant, basis) is None for each in votes), 0)


def _again(grant_id: str, old: Grant, votes: Sequence[str], by: str, basis: Basis) -> tuple[Grant, Change]:
    """Return a new grant of the same resource to the same person, which ends when the old one would have, but
    not later than today's longest length allows, and what is to be written for it. Raises Refused, also if
    today's policy does not allow it."""
    catalog, snap = basis
    if against := _objection(by, old, basis):
        raise Refused(against)
    if more := _more(old, votes, basis):
        raise refuse(Why.MISSING_VOTES, by_person=by, more=more)
    resource = catalog.resources[old.resource]
    longest = snap.now + timedelta(seconds=resource.lengths.max)
    until = min(old.until or longest, longest)
    seconds = int((until - snap.now).total_seconds())
    if seconds <= 0:
        raise refuse(Why.NO_TIME_LEFT)
    length = max(seconds, resource.lengths.min)
    ask = Ask(person=old.person, resource=resource, length=length, reason=old.reason, any_reason=True)
    if refused := refusal_of(ask, catalog, facts_of(snap, resource)):
        raise Refused(refused)

    counted = tuple(each for each in votes if _objection(each, old, basis) is None)
    reason = because(Why.GIVEN_ANEW, by_person=by)
    traced = Traced(rule="granted again", outcome=YES, reason=reason)
    grant = replace(
        unrequested_grant(grant_id, old.person, resource, Origin.ASKED, traced, basis),
        length=seconds,
        reason=old.reason,
        approvals=resource.approvals,
        votes=tuple(Vote(person=each, at=snap.now) for each in counted),
    )
    rule = f"granted again by {by}"
    ground = Ground(cause=Cause.APPROVAL, since=snap.now, until=until, rule=rule, approved_by=counted)
    grant, change = admission(grant, ground, resource, catalog, snap)
    return grant, replace(change, copied=True)
