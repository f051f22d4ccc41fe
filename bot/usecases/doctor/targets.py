"""Checks whether the targets can be reached, and points out those at which nothing but Rotakey ends
access."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from bot.core.catalog import Catalog, Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure, Unsupported
from bot.core.holds import Hold
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, Swept, TargetSystems
from bot.ports.ledger import Ledger
from bot.ports.target import Abilities, Target
from bot.usecases.doctor.findings import Finding, Grade, ago, count_of, look_at, ok, wrong
from bot.usecases.doctor.work import SWEEP_FORGOTTEN

TARGET = "target"


def accounts_by_target(catalog: Catalog) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for named in catalog.people.accounts.values():
        for target, account in named.items():
            found.setdefault(target, set()).add(account)
    return found


def gives_by_target(catalog: Catalog) -> dict[str, list[Entitlement]]:
    found: dict[str, dict[Entitlement, None]] = {}
    for resource in catalog.resources.values():
        for gives in resource.gives:
            found.setdefault(gives.target, {})[gives] = None
    return {target: list(gives) for target, gives in found.items()}


def look_at_target(
    find: Callable[[str], Target],
    gives: list[Entitlement],
    ledger: Ledger,
    deadline: Deadline,
    accounts: Collection[str] = (),
) -> Iterator[Finding]:
    """Look at all that is granted at one target. ``accounts`` are the accounts there that the policy
    names."""
    name = gives[0].target
    about = f"target {name}"
    answers = True
    for each in look_at_gives(find, gives, deadline, accounts):
        answers = answers and each.grade is not Grade.WRONG
        yield each
    if not answers:
        return
    systems = ledger.read({Key.of(TargetSystems)}).find(TargetSystems)
    for other in systems.namesakes(name) if systems else ():
        what = f"is the same running server as {other}: only the first of the two in access.yaml grants"
        yield wrong(about, what, "use one name for it; access under the other name still ends on time")
    if not find(name).abilities.keeps_end:
        snap = ledger.read({Key.of(Swept)})
        yield from one_lock(about, snap.find(Swept), snap.now)


def look_at_gives(
    find: Callable[[str], Target], gives: list[Entitlement], deadline: Deadline, accounts: Collection[str]
) -> Iterator[Finding]:
    """Report what the target itself says about all that is granted there."""
    about = f"target {gives[0].target}"
    try:
        target = find(gives[0].target)
        try:
            held = [len(target.holders(each, deadline).holders) for each in gives]
            said = f"{count_of(len(held), 'entitlement')}, {count_of(sum(held), 'holder')}"
        except Unsupported:
            said = "it cannot list who has access"
    except (TemporaryFailure, PermanentFailure) as failure:
        yield wrong(about, str(failure), "until it answers, nobody gets or loses access there")
        return
    yield ok(about, f"answers; {said}")
    yield from abilities(about, target.abilities)
    yield from warnings(about, target, gives, accounts, deadline)


def look_at_ready(
    find: Callable[[str], Target], gives: list[Entitlement], deadline: Deadline, accounts: Collection[str]
) -> Iterator[Finding]:
    """Try, without changing anything, whether all that is granted at one target could be granted to one of
    the named accounts, and one part of it to each of the others."""
    about = f"target {gives[0].target}"
    if not accounts:
        what = (
            "no account is named under people: accounts:, so it was not checked whether its roles can be"
            " granted"
        )
        yield ok(about, what)
        return
    first, *others = sorted(accounts)
    pairs = [*((first, each) for each in gives), *((each, gives[0]) for each in others)]
    told: set[str] = set()
    for account, entitlement in pairs:
        hold = Hold(target=entitlement.target, account=account, entitlement=entitlement)
        try:
            find(entitlement.target).ready(hold, deadline)
        except (TemporaryFailure, PermanentFailure) as failure:
            if str(failure) not in told:
                told.add(str(failure))
                yield wrong(about, str(failure))


def look_at_former(
    find: Callable[[str], Target | None],
    needs: Callable[[str], tuple[str, ...]],
    unsigned: Callable[[str], bool],
    name: str,
) -> Iterator[Finding]:
    """Look at a target that is still needed at its old address, because something is held there.
    ``unsigned``: with a SECRET_KEY, its settings would not be relied on."""
    about = f"target {name}"
    try:
        find(name)
        variables, bare = needs(name), unsigned(name)
    except PermanentFailure as failure:
        yield wrong(about, str(failure), "until this is fixed, nobody loses access there")
        return
    what = "is no longer in access.yaml, or has another address now, while something is held there"
    do = "it is dropped once nothing is held there"
    also = f"; until then, keep {' and '.join(variables)} set where the workers run" if variables else ""
    also += "; until then, do not set a first SECRET_KEY, or nobody loses access there" if bare else ""
    yield look_at(about, f"{what}; its old address is kept, for revoking only", do + also)


def abilities(about: str, it: Abilities) -> Iterator[Finding]:
    if not it.marks:
        what = "it cannot mark what Rotakey grants, so strays are not found there"
        yield look_at(about, what, "check it by hand from time to time, or let nobody else grant there")


def warnings(
    about: str, target: Target, gives: list[Entitlement], accounts: Collection[str], deadline: Deadline
) -> Iterator[Finding]:
    """Report a kind's own warnings, if it has any. Each says what to do."""
    ask = getattr(target, "warnings", None)
    if ask is None:
        return
    try:
        said = ask(gives, sorted(accounts), deadline)
    except (TemporaryFailure, PermanentFailure) as failure:
        yield wrong(about, str(failure), "until it answers, nobody gets or loses access there")
        return
    for each in said:
        yield look_at(about, each)


def one_lock(about: str, swept: Swept | None, now: datetime) -> Iterator[Finding]:
    """Report whether a sweep stands by for a target that ends no access itself."""
    if swept and now - swept.at <= SWEEP_FORGOTTEN:
        yield ok(about, f"cannot end access by itself; rotakey sweep last ran {ago(swept.at, now)} ago")
    else:
        what = "cannot end access by itself, so nothing there would end it if Rotakey were gone"
        yield look_at(
            about, what, "run rotakey sweep --once from cron on another machine; see docs/operating.md"
        )
