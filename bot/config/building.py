"""The checked file, turned into the values of the core."""

from __future__ import annotations

from bot.config.shapes import (
    AuditShape,
    File,
    GroupRule,
    LengthsShape,
    OnCallPeople,
    OnCallShape,
    PeopleShape,
    ReasonShape,
    ResourceShape,
    SecurityShape,
    ShiftShape,
    StraysShape,
)
from bot.core.catalog import (
    AuditRules,
    Catalog,
    Entitlement,
    Everyone,
    InGroup,
    Lengths,
    Located,
    Named,
    OnCall,
    PeopleRules,
    ReasonRule,
    Resource,
    SecurityRules,
    Selector,
    SourceRules,
    StrayMode,
    StrayRules,
    version_of,
)
from bot.settings import Given

USUAL = 3_600
"""The length in seconds if neither the policy nor the person names one."""


def catalog_of(file: File, text: str, located: Located) -> Catalog:
    return Catalog(
        version=version_of(text),
        resources={name: _resource(name, shape) for name, shape in file.resources.items()},
        people=_people(file.people),
        sources={
            name: SourceRules(
                every=each.every, stale_after=each.stale_after, start_stale_after=each.start_stale_after
            )
            for name, each in file.oncall.items()
        },
        security=_security(file.security) if file.security else SecurityRules(),
        audit=_audit(file.audit) if file.audit else AuditRules(),
        keep=file.keep,
        session_notes={name: each.sessions_end for name, each in file.targets.items()},
        strays=_strays(file.sweep or file.strays),
        shared_accounts={
            name: each.shared_accounts for name, each in file.targets.items() if each.shared_accounts
        },
        located=located,
    )


def _people(shape: PeopleShape) -> PeopleRules:
    return PeopleRules(email_domains=shape.email_domains, accounts=shape.accounts)


def _security(shape: SecurityShape) -> SecurityRules:
    return SecurityRules(
        channel=shape.channel,
        people=tuple(map(_selector, shape.people)),
        revoked_for=shape.revoked_for,
    )


def _audit(shape: AuditShape) -> AuditRules:
    archive = shape.archive.dir if shape.archive else None
    return AuditRules(file=shape.anchor.file, channel=shape.anchor.channel, archive=archive)


def _strays(shape: StraysShape) -> StrayRules:
    return StrayRules(mode=StrayMode(shape.mode), every=shape.every, share=int(shape.share.removesuffix("%")))


def _resource(name: str, shape: ResourceShape) -> Resource:
    return Resource(
        name=name,
        title=shape.title,
        gives=tuple(map(_entitlement, shape.gives)),
        lengths=_lengths(shape.duration),
        who_may_ask=tuple(map(_selector, shape.who_may_ask)),
        reason=_reason(shape.reason),
        approve_automatically=tuple(
            InGroup(group=rule.in_group) if isinstance(rule, GroupRule) else _on_call(rule.on_call)
            for rule in shape.approve_automatically
        ),
        approvers=tuple(map(_selector, shape.approvers)),
        approvals=shape.approvals,
        on_shift=_on_call(shape.on_shift) if shape.on_shift else None,
        one_holder=shape.one_holder,
        channel=shape.channel,
        lapse_after=shape.lapse_after,
        hidden=shape.hidden,
    )


def _entitlement(given: Given) -> Entitlement:
    return Entitlement(target=given.target, what=given.what())


def _lengths(shape: LengthsShape) -> Lengths:
    usual = max(min(USUAL, shape.max), shape.min)
    return Lengths(default=shape.default or usual, max=shape.max, min=shape.min, offer=shape.offer)


def _reason(shape: str | ReasonShape) -> ReasonRule:
    if isinstance(shape, ReasonShape):
        return ReasonRule(required=True, pattern=shape.pattern, say=shape.say)
    return ReasonRule(required=shape == "required")


def _selector(shape: str | OnCallPeople) -> Selector:
    if isinstance(shape, OnCallPeople):
        return _on_call(shape.on_call)
    if shape == "everyone":
        return Everyone()
    return InGroup(group=shape) if shape.startswith("slack/") else Named(person=shape)


def _on_call(shape: OnCallShape) -> OnCall:
    grace = shape.grace if isinstance(shape, ShiftShape) else 0
    return OnCall(schedule=shape.schedule, levels=shape.levels, grace=grace)
