"""Actions on strays: people are asked or notified, a few strays are revoked, and the outcome is reported."""

from __future__ import annotations

from dataclasses import replace

from bot.core.grants import Grant
from bot.core.holds import OVERDUE_AFTER_FAILURES, Hold, HoldRecord, Phase, Presence
from bot.core.reasons import Why, because
from bot.core.strays import Stray, StrayState, may_be_taken
from bot.ports.changes import Change, Due, Entry, Snapshot
from bot.ports.documents import Alert, Key, Strays
from bot.usecases.access.outcomes import hold_name
from bot.usecases.context import Context
from bot.usecases.notifications.alerts import (
    about_crowd,
    about_stray,
    alert_change,
    alert_over_change,
    became,
)
from bot.usecases.schedules.accounts import answerer_fact
from bot.usecases.strays.round import Round

MOST_ASKED = 10
"""The most strays of one target that are reported at a time; the others wait."""


def action_change(context: Context, it: Round, after: Strays) -> tuple[Strays, Change]:
    """Return the strays after this round, and what must be written for that. A few are revoked if the policy
    says so. If there are too many, none is: then it is likelier that the ledger has lost something."""
    states = [stray.state for stray in after.found.values()]
    count = states.count(StrayState.OPEN) + states.count(StrayState.TAKING)
    few = may_be_taken(count, len(it.looked.ours), it.catalog.strays.share)
    before = it.known.found
    entries = (
        Entry(what="stray found", facts={"hold": hold_name(stray.hold), "since": stray.since})
        for key, stray in after.found.items()
        if stray.state is StrayState.OPEN and key in before and before[key].state is StrayState.SEEN
    )
    change = Change(audit=tuple(entries))
    if it.takes and few:
        after, part = _all_taken(context, it, after)
    else:
        after, part = _all_told(context, it, after)
    crowd = states.count(StrayState.OPEN) > MOST_ASKED or (it.takes and not few)
    change = change.plus(part)
    # people are told once that there are too many, and once when that is over
    if crowd and after.crowd is None:
        counted = {"count": len(_open(after)), "held": len(it.looked.ours)}
        most = {"most": MOST_ASKED} if it.asks else {}
        alert = about_crowd(context.new_id(), it.looked.target, **counted, **most)
        entry = Entry(what="too many strays", facts={"target": it.looked.target, **counted})
        after = replace(after, crowd=alert.id)
        change = change.plus(alert_change(alert, it.snap.now), Change(audit=(entry,)))
    elif after.crowd and not crowd:
        known = it.alerts.find(Alert, after.crowd)
        after = replace(after, crowd=None)
        change = change.plus(alert_over_change(known, because(Why.STRAYS_FEW), it.snap.now))
    return after, change


def taking(hold: Hold, snap: Snapshot, *, by: str | None) -> Change:
    """Return the change that makes a stray a hold that nobody stands behind, which is then revoked like any
    other. It rests on there being no record of it, and on nobody having been approved for it meanwhile."""
    behind = [grant.id for grant in snap.all(Grant) if hold.key in grant.holds]
    record = HoldRecord(hold=hold, phase=Phase.GIVEN, baseline=Presence.NONE)
    return Change(
        rests_on=(snap,),
        members={f"hold:{hold.key}": behind},
        put={Key.of(HoldRecord, hold.key): record},
        due=(Due.hold(hold.key, at=snap.now),),
        audit=(Entry(what="taking stray", by=by, facts={"hold": hold_name(hold)}),),
        frees=True,
    )


def _open(after: Strays) -> dict[str, Stray]:
    return {key: stray for key, stray in after.found.items() if stray.state is StrayState.OPEN}


def _all_taken(context: Context, it: Round, after: Strays) -> tuple[Strays, Change]:
    """Revoke the open strays that were seen in this round; what has become of the others is not known."""
    change, strays = Change(), dict(after.found)
    for key, stray in _open(after).items():
        if key not in it.sight.unexplained:
            continue
        alert = _alert(it, stray) or about_stray(context.new_id(), stray.hold, asks=False)
        alert = became(replace(alert, asks=False), because(Why.STRAY_TAKING))
        strays[key] = replace(stray, state=StrayState.TAKING, alert=alert.id)
        part = taking(stray.hold, it.snap, by=None).plus(alert_change(alert, it.snap.now))
        change = change.plus(part)
    return replace(after, found=strays), change


def _all_told(context: Context, it: Round, after: Strays) -> tuple[Strays, Change]:
    """Report open strays to people, and again only if the policy has changed what they may do about them."""
    change, strays, now = Change(), dict(after.found), it.snap.now
    room = MOST_ASKED - sum(stray.alert is not None for stray in _open(after).values())
    for key, stray in _open(after).items():
        alert = _alert(it, stray)
        if alert and not alert.over_at and alert.asks is not it.asks:
            change = change.plus(alert_change(replace(alert, asks=it.asks, became=None), now))
        elif stray.alert is None and room > 0:
            room -= 1
            alert = about_stray(context.new_id(), stray.hold, asks=it.asks)
            strays[key] = replace(stray, alert=alert.id)
            change = change.plus(alert_change(alert, now))
    return replace(after, found=strays), change


def _alert(it: Round, stray: Stray) -> Alert | None:
    return it.alerts.find(Alert, stray.alert) if stray.alert else None


# ------------------------------------------------------------------------------------ what came of them


def gone_change(it: Round, after: Strays) -> Change:
    """Return what must be written about strays that are gone, or explained by now."""
    change, gone_at = Change(), int(it.snap.now.timestamp())
    for key, stray in it.known.found.items():
        alert = _alert(it, stray)
        if key in after.found or (stray.state is StrayState.SEEN and alert is None):
            continue
        if key in it.looked.ours:
            reason = because(Why.STRAY_EXPLAINED)
        elif alert and alert.became and alert.became.why in (Why.STRAY_TAKING, Why.STRAY_STUCK):
            reason = because(Why.STRAY_TAKEN, gone_at=gone_at, **answerer_fact(alert))
        else:
            reason = because(Why.STRAY_GONE, gone_at=gone_at)
        entry = Entry(what="stray gone", facts={"hold": hold_name(stray.hold), "how": reason.why.value})
        part = alert_over_change(alert, reason, it.snap.now)
        change = change.plus(replace(part, audit=(entry,)))
    return change


def stuck(it: Round, after: Strays) -> Change:
    """Return what must be shown about strays that could not be revoked yet."""
    change = Change()
    for key, stray in after.found.items():
        record, alert = it.snap.find(HoldRecord, key), _alert(it, stray)
        if record and alert and alert.became and stray.state is StrayState.TAKING and is_stuck(it, key):
            trouble = record.last_error or ""
            told_now = became(alert, because(Why.STRAY_STUCK, trouble=trouble, **answerer_fact(alert)))
            change = change.plus(alert_change(told_now, it.snap.now) if told_now != alert else Change())
    return change


def is_stuck(it: Round, key: str) -> bool:
    record = it.snap.find(HoldRecord, key)
    return record is not None and record.failures >= OVERDUE_AFTER_FAILURES
