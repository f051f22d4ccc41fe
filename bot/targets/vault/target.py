"""Policies of Vault or OpenBao, attached to a person's entity by a group of its own for each hold.

The group is named from the hold, ``rotakey-<what>-<hold>``, and its metadata has the hold and the account:
that is the mark. A receipt has the ids of the entity and of the group, which stay what they are if either is
renamed. No two people share a group, so no list is ever read, changed and written back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.core.catalog import Entitlement
from bot.core.durations import rough
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt, Seen, System
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holder, Holders
from bot.targets.vault.api import Api, Entity, Group
from bot.upstream import short_retries

MARK, ACCOUNT = "rotakey_group", "rotakey_account"
"""The keys of a group's metadata: the name it was made with, and the account of the hold."""
ENTITY, GROUP, NAME = "entity", "group", "group_name"
"""The facts of a receipt: two ids, of which the group's is known once it is made, and the group's name."""
LEAST_SECONDS = 600
"""A token that ends sooner grants nothing: it could not revoke it."""
EARLY_SECONDS = 14 * 24 * 3_600
"""A token that ends sooner, and that Rotakey cannot renew for ever, is reported."""
NEEDED = frozenset({"create", "update", "delete"})


class Vault:
    """A Vault or OpenBao. Implements Target.

    Without a ``mount_accessor``, an account is the name of an entity; with one, the name of an alias on that
    auth mount. Access counts as THEIRS if the entity has all the policies by its own list, or by groups that
    no Rotakey made; what a token has from its auth method cannot be known.
    """

    abilities = Abilities(marks=True, keeps_end=False, ends_sessions=False)

    def __init__(self, name: str, api: Api, mount_accessor: str = "", group_prefix: str = "rotakey") -> None:
        self._name = name
        self._api = api
        self._mount_accessor = mount_accessor
        self._prefix = group_prefix

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        """Look up the entity, and whether it can be granted. The token's policy may restrict which policies
        the groups may have (``allowed_parameters``); that shows only in ``grant``."""

        def once() -> Receipt:
            system = self._system(not_after)
            self._refuse_ending_token(not_after)
            entity = self._grantable(self._entity(hold.account, not_after), hold.account)
            existing = set(self._api.policy_names(not_after))
            if missing := [each for each in _policies(hold.entitlement) if each not in existing]:
                raise PermanentFailure(
                    f"{self._name} has no policy {' and no policy '.join(missing)}: write it, or correct the"
                    " name in access.yaml"
                )
            path = f"identity/group/name/{self._group_name(hold)}"
            allowed = self._api.capabilities([path], not_after)[path]
            if "root" not in allowed and not allowed >= NEEDED:
                raise PermanentFailure(
                    f"the token of {self._name} may not {' and '.join(sorted(NEEDED - allowed))} {path}: give"
                    " it the policy of docs/vault.md"
                )
            return Receipt(system=system.id, facts={ENTITY: entity.id, NAME: self._group_name(hold)})

        return short_retries(once, not_after)

    def grant(
        self,
        hold: Hold,
        receipts: Sequence[Receipt],
        until: datetime | None,  # noqa: ARG002 -- a group has no end
        not_after: Deadline,
    ) -> Receipt:
        last, policies = receipts[-1], _policies(hold.entitlement)

        def once() -> Receipt:
            system = self._system(not_after)
            if last.system != system.id:
                raise PermanentFailure(self._another_system())
            entity = self._prepared_entity(hold, last, not_after)
            made = self._api.group(not_after, id=last.facts[GROUP]) if GROUP in last.facts else None
            name = made.name if made else self._group_name(hold)
            body = {
                "type": "internal",
                "policies": ",".join(policies),  # as text, which allowed_parameters can compare
                "member_entity_ids": [entity.id],
                "metadata": {MARK: self._group_name(hold), ACCOUNT: hold.account},
            }
            self._api.write_group(name, body, not_after)
            group = self._api.group(not_after, name=name)
            if (
                not group
                or entity.id not in group.member_entity_ids
                or not set(policies) <= {*group.policies}
            ):
                raise TemporaryFailure(f"{self._name} did not show the group {name} after making it")
            facts = {**last.facts, ENTITY: entity.id, GROUP: group.id, NAME: group.name}
            return replace(last, facts=facts)

        return short_retries(once, not_after)

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        """Delete the group that has the hold's name, and those that receipts name by id. That the name is
        deleted without looking first is on purpose: a node that lags behind may not show the group yet."""

        def once() -> None:
            system = self._system(deadline)
            here = [each for each in receipts if each.system == system.id]
            name = self._group_name(hold)
            if len(here) == len(receipts) or self._is_certainly_ours(hold, deadline):
                self._api.delete_group(name, deadline)
            for group in self._named_groups(here, deadline):
                try:
                    self._api.delete_group(group.name, deadline)
                except PermanentFailure as failure:
                    if group.name == name:
                        raise
                    raise PermanentFailure(
                        f"{self._name}: somebody renamed the group {name} to {group.name}, and the bot's"
                        " token may not delete it: delete it there"
                    ) from failure

        short_retries(once, deadline)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        """Look. A group of ours that somebody emptied, by taking its member or its policies away, gives
        nothing: that is NONE, with the receipt that names what is left."""

        def once() -> Seen:
            system = self._system(deadline)
            if any(each.system != system.id for each in receipts):
                return Seen(
                    presence=Presence.ELSEWHERE,
                    system=system,
                    receipts=tuple(receipts),
                    why=self._another_system(),
                )
            by_name = self._api.group(deadline, name=self._group_name(hold))
            ours = _each_once(
                [*([by_name] if by_name else []), *self._named_groups(receipts, deadline, by_name)]
            )
            theirs: str | None = None
            if not ours:
                ids = {each.facts[ENTITY] for each in receipts if each.facts.get(ENTITY)}
                entities = self._entities(hold.account, ids, deadline)
                groups = {each.id: self._groups_of(each, deadline) for each in entities}
                ours = _each_once(
                    group
                    for found in groups.values()
                    for group in found
                    if group.metadata.get(MARK) == self._group_name(hold)
                )
                wanted = set(_policies(hold.entitlement))
                sources = (_source_of_others(each, groups[each.id], wanted) for each in entities)
                theirs = next((each for each in sources if each), None)
            kept = tuple(_receipt_of(group, system, receipts) for group in ours)
            if any(group.gives_something for group in ours):
                return Seen(presence=Presence.OURS, system=system, receipts=kept)
            presence = Presence.THEIRS if theirs else Presence.NONE
            return Seen(presence=presence, system=system, grantor=theirs, receipts=kept)

        return short_retries(once, deadline)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        """Return those for whom a group of ours is there. Who has the policies otherwise is left out: each
        entity and each group would have to be read."""

        def once() -> Holders:
            system = self._system(deadline)
            beginning = self._beginning(entitlement)
            found = []
            for name in self._api.group_names(deadline):
                group = self._api.group(deadline, name=name) if name.startswith(beginning) else None
                if group is None or not group.gives_something:
                    continue
                account = group.metadata.get(ACCOUNT, "")
                hold = Hold(target=entitlement.target, account=account, entitlement=entitlement)
                if self._group_name(hold) == name:
                    found.append(Holder(account=account, presence=Presence.OURS))
            return Holders(holders=tuple(found), system=system)

        return short_retries(once, deadline)

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        """Prepare, which changes nothing."""
        self.prepare(hold, deadline)

    def warnings(
        self,
        gives: Sequence[Entitlement],
        accounts: Sequence[str],  # noqa: ARG002 -- it is only about the token
        deadline: Deadline,
    ) -> tuple[str, ...]:
        """Return what an administrator should know about the bot's token, each with what to do. Not part of
        the port."""

        def once() -> tuple[str, ...]:
            token = self._api.token(deadline)
            found = []
            left = token.seconds_left
            renews = token.renewable and token.period and not token.explicit_max_ttl
            if left is not None and left < EARLY_SECONDS and not renews:
                found.append(
                    f"the bot's token will expire (it has {rough(left)} left), and then nothing is revoked"
                    " there: make a periodic one, as docs/vault.md says"
                )
            if "root" in token.policies:
                found.append(
                    "the bot's token is a root token, which may do everything: make one with the policy of"
                    " docs/vault.md"
                )
                return tuple(found)
            policies = sorted({policy for each in gives for policy in _policies(each)})
            groups = f"identity/group/name/not-{self._prefix}"
            acls = [f"sys/policies/acl/{each}" for each in policies]
            may = self._api.capabilities([groups, *acls], deadline)
            if may[groups] & NEEDED:
                found.append(
                    f"the bot's token may write groups that do not begin with {self._prefix}-: give it only"
                    " the policy of docs/vault.md"
                )
            if written := [each for each in acls if may[each] & NEEDED]:
                found.append(
                    f"the bot's token may change policies ({', '.join(written)}): give it only the policy of"
                    " docs/vault.md"
                )
            return tuple(found)

        return short_retries(once, deadline)

    # ------------------------------------------------------------------------------------------ looking

    def _system(self, deadline: Deadline) -> System:
        system = self._api.system(deadline)
        self._api.keep_token(deadline)
        return system

    def _refuse_ending_token(self, deadline: Deadline) -> None:
        left = self._api.token(deadline).seconds_left
        if left is not None and left < LEAST_SECONDS:
            raise PermanentFailure(
                f"the token of {self._name} expires in {rough(left)}, so what it grants could not be revoked:"
                " make a periodic one as docs/vault.md says, and set it where the workers run"
            )

    def _entity(self, account: str, deadline: Deadline) -> Entity | None:
        if self._mount_accessor:
            by = {"alias_name": account, "alias_mount_accessor": self._mount_accessor}
            return self._api.entity(deadline, **by)
        return self._api.entity(deadline, name=account)

    def _grantable(self, entity: Entity | None, account: str) -> Entity:
        if entity is None:
            if self._mount_accessor:
                raise PermanentFailure(
                    f"{self._name} has no alias {account} on the auth mount {self._mount_accessor}: ask them"
                    " to log in there once, or correct their account in access.yaml"
                )
            raise PermanentFailure(
                f"{self._name} has no entity named {account}: make it, correct their account in access.yaml,"
                " or set mount_accessor to find people by alias"
            )
        if entity.disabled:
            raise PermanentFailure(f"{self._name}: the entity of {account} is disabled: enable it")
        return entity

    def _prepared_entity(self, hold: Hold, last: Receipt, deadline: Deadline) -> Entity:
        """Return the entity that the receipt names, or after a move, the one that has the account's name."""
        prepared = last.facts.get(ENTITY)
        named = self._api.entity(deadline, id=prepared) if prepared else None
        if named is None and last.moved_from is not None:
            return self._grantable(self._entity(hold.account, deadline), hold.account)
        if named is None:
            raise TemporaryFailure(f"{self._name}: the entity of {hold.account} was replaced meanwhile")
        return self._grantable(named, hold.account)

    def _entities(self, account: str, ids: Collection[str], deadline: Deadline) -> list[Entity]:
        """Return the entity of the account, and those that receipts name."""
        by_account = self._entity(account, deadline)
        found = {by_account.id: by_account} if by_account else {}
        for each in sorted(set(ids) - found.keys()):
            if entity := self._api.entity(deadline, id=each):
                found[entity.id] = entity
        return list(found.values())

    def _groups_of(self, entity: Entity, deadline: Deadline) -> list[Group]:
        ids = dict.fromkeys((*entity.direct_group_ids, *entity.inherited_group_ids))
        found = (self._api.group(deadline, id=each) for each in ids)
        return [each for each in found if each]

    def _named_groups(
        self, receipts: Sequence[Receipt], deadline: Deadline, known: Group | None = None
    ) -> list[Group]:
        """Return the groups that receipts of this system name by id."""
        ids = dict.fromkeys(each.facts[GROUP] for each in receipts if each.facts.get(GROUP))
        found = (known if known and known.id == each else self._api.group(deadline, id=each) for each in ids)
        return [each for each in found if each]

    def _is_certainly_ours(self, hold: Hold, deadline: Deadline) -> bool:
        """Return whether the group of the hold's name bears its mark, and has no member but the account's
        entity."""
        group = self._api.group(deadline, name=self._group_name(hold))
        if group is None or group.metadata.get(MARK) != self._group_name(hold):
            return False
        entity = self._entity(hold.account, deadline)
        return entity is not None and set(group.member_entity_ids) <= {entity.id}

    def _group_name(self, hold: Hold) -> str:
        return f"{self._beginning(hold.entitlement)}{hold.key.rpartition('/')[2]}"

    def _beginning(self, entitlement: Entitlement) -> str:
        """Return what the names of all groups that give the entitlement begin with."""
        return f"{self._prefix}-{entitlement.key.rpartition('/')[2][:8]}-"

    def _another_system(self) -> str:
        return (
            f"{self._name} is another cluster or namespace now: if it was moved or restored, run rotakey"
            f" target accept {self._name}"
        )


def _policies(entitlement: Entitlement) -> list[str]:
    return entitlement["policies"].split(",")


def _each_once(groups: Iterable[Group]) -> list[Group]:
    return list({group.id: group for group in groups}.values())


def _source_of_others(entity: Entity, groups: Iterable[Group], wanted: Collection[str]) -> str | None:
    """Return what gives the entity all the wanted policies; None if that is nothing, or only Rotakey."""
    given = [("its entity", set(entity.policies))]
    given += [(f"the group {each.name}", set(each.policies)) for each in groups if MARK not in each.metadata]
    having = [(source, policies) for source, policies in given if policies & set(wanted)]
    if not set(wanted) <= {policy for _, policies in having for policy in policies}:
        return None
    return " and ".join(source for source, _ in having)


def _receipt_of(group: Group, system: System, receipts: Sequence[Receipt]) -> Receipt:
    """Return the receipt that names the group, or a new one."""
    for each in reversed(receipts):
        if each.facts.get(GROUP) == group.id:
            return replace(each, moved_from=None)
    entity = next(iter(group.member_entity_ids), "")
    return Receipt(system=system.id, facts={ENTITY: entity, GROUP: group.id, NAME: group.name})
