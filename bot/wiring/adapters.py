"""The adapters that a policy names, each built when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from bot import config
from bot.core.authentic import text_objection
from bot.core.catalog import Catalog
from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.core.reasons import Reason, Why, because
from bot.evidence.anchor_file import AnchorFile
from bot.evidence.archive import ArchiveFolder
from bot.evidence.held_file import HeldFile, beside
from bot.kinds.table import build_source, build_target
from bot.ports.audit import Anchor
from bot.ports.documents import Key, PolicyInForce, PolicyText
from bot.ports.ledger import Ledger
from bot.ports.oncall import OnCallSource
from bot.ports.target import Target
from bot.settings import TargetSettings
from bot.upstream import host_now
from bot.usecases import enact
from bot.usecases.access import former
from bot.usecases.access.former import Elsewhere, RevokeOnly, Unusable, former_target, former_versions
from bot.usecases.access.kept import Booked, NoBook
from bot.usecases.audit.retention import Archive
from bot.wiring.ids import new_id
from bot.worker.admission import World

log = structlog.get_logger(__name__)

ENACTED = Key.of(PolicyInForce)

NOT_IN_FORCE = "this process's policy is not in force yet, so it grants nothing; see rotakey doctor"


def program_needs_key(target: str) -> str:
    """Say what is missing if a policy that anybody could have written to Redis would run a program."""
    return (
        f"{target} runs a program, so the policy in Redis has to be signed: set SECRET_KEY in all processes;"
        " make one with openssl rand -hex 32"
    )


class Adapters:
    """The adapters that the policy in force names, each built when it is first needed. Begins with
    ``policy``, the process's own file. ``text_of`` finds an earlier policy text by its version. ``starts``:
    nothing is granted until that file is in force, or the policy in force was followed. Without ``secrets``,
    policies are followed, and their targets and sources are not needed."""

    def __init__(
        self,
        env: config.Environment,
        environ: Mapping[str, str],
        policy: config.Policy,
        text_of: Callable[[str], PolicyText | None] = lambda _: None,
        *,
        starts: bool = False,
        secrets: bool = True,
    ) -> None:
        self._env = env
        self._secrets = secrets
        self._reached: Mapping[str, str] = {}
        self._environ = environ
        self._policy = policy
        self._text_of = text_of
        self._former: Mapping[str, tuple[str, ...]] = {}
        self._closed: str | None = None
        self._own: config.Policy | None = policy
        """The process's own file, until it was in force, or another process's came into force instead."""
        self._over: str | None = None
        """The version that was in force when it was to be put in force for the first time."""
        self._was_in_force = not starts
        self._built: dict[tuple[str, Any], Any] = {}
        self._building = threading.Lock()

    def follow(self, force: PolicyInForce, kept: PolicyText | None) -> Catalog:
        """Follow the policy in force. If its text is not what it claims to be, or is held back, or this
        process cannot read it (because a variable is not set here, for example), the last policy that could
        be followed stays, closed: nothing is granted by it, and revoking goes on."""
        self.note_former(force)
        against = self._objection(force.version, kept) or force.held_back
        if against or kept is None:
            return self._closed_by(against or because(Why.POLICY_LOST, version=force.version))
        try:
            if self._policy.text == kept.text:
                policy = self._policy
            else:
                policy = config.load(kept.text, environ=self._environ, secrets=self._secrets)
        except Misconfigured as mistake:
            first = str(mistake).splitlines()[0]
            return self._closed_by(because(Why.POLICY_UNREADABLE, version=force.version, mistake=first))
        if policy.workspace != self._policy.workspace:
            return self._closed_by(because(Why.POLICY_FOREIGN, version=force.version))
        self._policy, self._closed, self._was_in_force = policy, None, True
        for name in former.targets_elsewhere(force, policy.catalog):
            log.critical("nothing granted at a target", why=self._elsewhere(name))

        # What is still needed as it was stays open, although the policy no longer names it.
        named = {*policy.targets.items(), *policy.oncall.items()}
        with self._building:
            gone = [self._built.pop(key) for key in self._built.keys() - named if key[0] not in self._former]
        for built in gone:
            _close(built)
        return policy.catalog

    def _elsewhere(self, name: str) -> str:
        variables = " and ".join(self.catalog.located.variables.get(name, ()))
        return (
            f"{name} has a different address here than in the policy in force, because of {variables}: set"
            " it as in the other processes; or, if the target has moved, set it everywhere and run rotakey"
            " policy apply FILE"
        )

    def _closed_by(self, against: Reason) -> Catalog:
        self._closed = (
            "this process cannot follow the policy in force, so it grants nothing; see rotakey doctor"
        )
        log.critical("policy not followed", why=against.why.value, **against.facts)
        return replace(self._policy.catalog, closed=against)

    def _objection(self, version: str, kept: PolicyText | None) -> Reason | None:
        text, hmacs = (kept.text, kept.hmacs) if kept else (None, ())
        return text_objection(version, text, hmacs, self._env.secret_keys)

    @property
    def catalog(self) -> Catalog:
        return self._policy.catalog

    @property
    def world(self) -> World:
        """Return what the worker waits for."""
        return World(
            targets=frozenset((*self._policy.targets, *self._former)),
            sources=frozenset(self._policy.oncall),
            wished=self._env.worker_threads,
        )

    @property
    def security_channel(self) -> str | None:
        return self.catalog.security_channel

    @property
    def target_names(self) -> tuple[str, ...]:
        """Return all targets, in the order of access.yaml."""
        return tuple(self._policy.targets)

    def anchor(self) -> Anchor | None:
        file = self.catalog.audit.file
        return AnchorFile(Path(file)) if file else None

    def held_book(self) -> HeldFile | None:
        """Return the file of open holds beside the anchor; None if no anchor file is named."""
        file = self.catalog.audit.file
        return HeldFile(beside(file)) if file else None

    def archive(self) -> Archive | None:
        folder = self.catalog.audit.archive
        return ArchiveFolder(Path(folder), self._policy.workspace) if folder else None

    def enact(self, ledger: Ledger) -> None:
        """Put the process's own file in force, if Redis has never seen it; once that was decided, the policy
        that the process follows, if Redis has lost it. A file that could not be written at first gives way to
        one that another process puts in force meanwhile. Raise TemporaryFailure."""
        own, keys = self._own, self._env.secret_keys
        if own is None:
            if self._was_in_force:
                enact.put_back(ledger, self._policy.catalog, self._policy.text, keys)
            return
        force = ledger.read({ENACTED}).find(PolicyInForce)
        version = force.version if force else ""
        self._over = version if self._over is None else self._over
        if version not in ("", self._over, own.catalog.version):
            self._report_not_in_force(ledger, own)
            self._own = None
        elif enact.start_with(ledger, own.catalog, own.text, keys):
            self._own, self._was_in_force = None, True
        else:
            self._report_not_in_force(ledger, own)
            self._own = None

    def _report_not_in_force(self, ledger: Ledger, own: config.Policy) -> None:
        """Report it in the channel of the policy that is in force, if there is one."""
        version = own.catalog.version
        force = ledger.read({ENACTED}).find(PolicyInForce)
        if force:
            self.follow(force, self._text_of(force.version))
        log.critical(
            "own access.yaml not in force",
            version=version,
            in_force=force.version if force else None,
            to_go_back_to_it="rotakey policy apply FILE",
        )
        enact.report_not_in_force(ledger, version, self.security_channel, new_id)

    def target(self, name: str) -> Target:
        """Return the target as the policy that is followed has it. For revoking only, while the policy in
        force cannot be followed. Raise PermanentFailure if the policy does not name it."""
        settings = self._policy.targets.get(name)
        if settings is None:
            raise PermanentFailure(
                f"target {name} is no longer in access.yaml: put it back until nothing is held there"
            )
        built = self._target_of(name, settings)
        here = self.catalog.located.reached.get(name)
        if here and here != self._reached.get(name, here):
            return Elsewhere(built, lambda: TemporaryFailure(self._elsewhere(name)))
        closed = self._closed or (None if self._was_in_force else NOT_IN_FORCE)
        return RevokeOnly(built, lambda: TemporaryFailure(closed)) if closed else built

    def reach(self, name: str) -> Target:
        """Return the target of that name, as it was if the policy no longer names it."""
        if name in self._policy.targets:
            return self.target(name)
        return self.former(name) or self.target(name)

    def former(self, name: str) -> Target | None:
        """Return the target as it was while something was granted there that may still be held: for revoking
        only. None if it is where it was. Raise PermanentFailure if its former settings cannot be used, naming
        the variables that are not set; of several addresses, one that can be used is enough."""
        found: list[Target] = []
        for version in self._former.get(name, ()):
            try:
                settings = self._settings_of(name, version)
            except PermanentFailure as failure:
                found.append(Unusable(failure))
            else:
                found.append(self._target_of(name, settings))
        unusable = [each for each in found if isinstance(each, Unusable)]
        if unusable and len(unusable) == len(found):
            raise unusable[0].failure
        return former_target(name, found) if found else None

    def needs_of_former(self, name: str) -> tuple[str, ...]:
        """Return the variables that a target needs as it was. Raise PermanentFailure if that cannot be
        known."""
        found = (self._targets_of(name, each).variables.get(name, ()) for each in self._former.get(name, ()))
        return tuple(dict.fromkeys(variable for every in found for variable in every))

    def has_unsigned_former(self, name: str) -> bool:
        """Return whether the target is kept as it was in a text without any HMAC. With a SECRET_KEY, no such
        text is relied on, because anybody who can write to Redis could have put it there."""
        texts = [self._text_of(each) for each in self._former.get(name, ())]
        return any(each is not None and not each.hmacs for each in texts)

    def note_former(self, force: PolicyInForce) -> tuple[str, ...]:
        """Note where the targets are from now on, and which are needed as they were; return the names of
        these."""
        self._former, self._reached = former_versions(force), force.reached
        return tuple(self._former)

    def _settings_of(self, name: str, version: str) -> Any:
        found = self._targets_of(name, version)
        if name not in found.settings:
            why = found.skipped.get(name, "that policy does not name it")
            raise PermanentFailure(
                f"access granted at {name} under policy {version} cannot be revoked: {why}; fix that, or"
                " restore the target in access.yaml as it was"
            )
        return found.settings[name]

    def _targets_of(self, name: str, version: str) -> config.Targets:
        kept = self._text_of(version)
        against = self._objection(version, kept)
        held = f"access granted at {name} under policy {version} cannot be revoked: the text of that policy"
        if against and against.why is Why.POLICY_UNSIGNED:
            raise PermanentFailure(
                f"{held} was not signed with this SECRET_KEY; restore the target in access.yaml as it was;"
                " or, if SECRET_KEY was set or changed since, undo that until nothing is held there"
            )
        if against or kept is None:
            raise PermanentFailure(
                f"{held} is lost or was changed in Redis; restore the target in access.yaml as it was"
            )
        return config.targets_of(kept.text, name=f"policy {version}", environ=self._environ)

    def source(self, name: str) -> OnCallSource:
        settings = self._policy.oncall.get(name)
        if settings is None:
            raise PermanentFailure(
                f"on-call source {name} is no longer in access.yaml: put it back, or remove the schedules"
                " that begin with it"
            )
        built: OnCallSource = self._once(name, settings, build_source)
        return built

    def close(self) -> None:
        """Close everything that was built and keeps connections."""
        for built in self._built.values():
            _close(built)

    def _target_of(self, name: str, settings: TargetSettings) -> Target:
        if settings.runs_programs and not self._env.secret_keys:
            raise PermanentFailure(program_needs_key(name))
        built: Target = self._once(name, settings, build_target)
        if settings.marks:
            return built
        return Booked(built, self.held_book() or NoBook(name), host_now)

    def _once(self, name: str, settings: Any, build_it: Callable[..., Any]) -> Any:
        with self._building:
            key = (name, settings)
            if key not in self._built:
                self._built[key] = build_it(name, settings)
            return self._built[key]


def _close(built: object) -> None:
    if close := getattr(built, "close", None):
        close()


def targets_alone(known: config.Targets) -> Callable[[str], Target]:
    """Return a function that finds the targets of a file by name, for revoking without a policy; each is
    built once. It raises PermanentFailure for one that does not exist, or cannot be used here."""

    @cache
    def find(name: str) -> Target:
        if name in known.skipped:
            raise PermanentFailure(f"target {name} is skipped: {known.skipped[name]}")
        if name not in known.settings:
            raise PermanentFailure(
                f"target {name} is not in this access.yaml: add it, with the address it had"
            )
        settings = known.settings[name]
        return build_target(name, settings)

    return find


def policy_text(ledger: Ledger, version: str) -> PolicyText | None:
    return ledger.read({Key.of(PolicyText, version)}).find(PolicyText, version)
