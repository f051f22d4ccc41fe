"""The checked file, turned into the values of the core."""

from __future__ import annotations

from bot.config.shapes import (
    File,
    GroupRule,
    OnCallPeople,
    OnCallShape,
    ReasonShape,
    ResourceShape,
    ShiftShape,
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

USUAL = 3_600
"""The length in seconds if neither the policy nor the person names one."""


def catalog_of(file: File, text: str, located: Located) -> Catalog:
    security, audit, strays = file.security, file.audit, file.sweep or file.strays
    return Catalog(
        version=version_of(text),
        resources={name: _resource(name, shape) for name, shape in file.resources.items()},
        people=PeopleRules(email_domains=file.people.email_domains, accounts=file.people.accounts),
        sources={
            name: SourceRules(
                every=each.every, stale_after=each.stale_after, start_stale_after=each.start_stale_after
            )
            for name, each in file.oncall.items()
        },
        security=SecurityRules(
            channel=security.channel,
            people=tuple(map(_selector, security.people)),
            revoked_for=security.revoked_for,
        )
        if security
        else SecurityRules(),
        audit=AuditRules(
            file=audit.anchor.file,
            channel=audit.anchor.channel,
            archive=audit.archive.dir if audit.archive else None,
        )
        if audit
        else AuditRules(),
        keep=file.keep,
        session_notes={name: each.sessions_end for name, each in file.targets.items()},
        strays=StrayRules(
            mode=StrayMode(strays.mode), every=strays.every, share=int(strays.share.removesuffix("%"))
        ),
        shared_accounts={
            name: each.shared_accounts for name, each in file.targets.items() if each.shared_accounts
        },
        located=located,
    )


def _resource(name: str, shape: ResourceShape) -> Resource:
    length, reason = shape.duration, shape.reason
    usual = max(min(USUAL, length.max), length.min)
    return Resource(
        name=name,
        title=shape.title,
        gives=tuple(Entitlement(target=each.target, what=each.what()) for each in shape.gives),
        lengths=Lengths(default=length.default or usual, max=length.max, min=length.min, offer=length.offer),
        who_may_ask=tuple(map(_selector, shape.who_may_ask)),
        reason=ReasonRule(required=True, pattern=reason.pattern, say=reason.say)
        if isinstance(reason, ReasonShape)
        else ReasonRule(required=reason == "required"),
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


def _selector(shape: str | OnCallPeople) -> Selector:
    if isinstance(shape, OnCallPeople):
        return _on_call(shape.on_call)
    if shape == "everyone":
        return Everyone()
    return InGroup(group=shape) if shape.startswith("slack/") else Named(person=shape)


def _on_call(shape: OnCallShape) -> OnCall:
    grace = shape.grace if isinstance(shape, ShiftShape) else 0
    return OnCall(schedule=shape.schedule, levels=shape.levels, grace=grace)
