"""``rotakey policy``: put an access.yaml in force."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from pathlib import Path

import click

from bot import config
from bot.cli.settings import log_errors
from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.core.people import Group
from bot.core.reasons import Why
from bot.ports.documents import Key, PolicyInForce
from bot.usecases.apply import Outdated, end_outdated, outdated_grants
from bot.usecases.audit.evidence import plain
from bot.usecases.enact import enact
from bot.wiring import components

WORDS: Mapping[Why, str] = {
    Why.RESOURCE_GONE: "it is no longer in the policy",
    Why.NO_LONGER_GIVEN: "it now gives something else",
    Why.RULE_GONE: "the rule that gave it is no longer in the policy",
    Why.MAY_NOT_ASK: "this person may no longer request it",
}
"""The objections about the resource; any other is that this person may be given nothing."""


@click.group()
def policy() -> None:
    """Decide which policy is in force."""


@policy.command()
@click.argument("file", default="access.yaml", envvar="ACCESS_FILE", type=click.Path(path_type=Path))
@click.option("--end", is_flag=True, help="End the live access that FILE does not allow.")
@click.option("--by", help="The person who applies it. Default: the account you are logged in with.")
def apply(file: Path, end: bool, by: str | None) -> None:
    """Put FILE in force, even if it was in force before, and list the live access that it does not allow.

    Run it in each deployment: a process that starts with a file puts it in force only if it is new. Run it
    with a worker's environment, so that Rotakey also records where the targets are now and which groups are
    meant. Needs REDIS_URL, and SECRET_KEY if the other processes have it. Repeating it is safe. Exit 0: the
    file is in force, and with --end no access is live that it does not allow.
    """
    log_errors()
    env = config.Environment.read(os.environ, needs=(("REDIS_URL",),))
    checked = config.load(config.bytes_of(file), name=str(file), environ=os.environ, secrets=False)
    ledger, catalog = components.ledger_of(env, checked.workspace), checked.catalog
    try:
        snap = ledger.read({Key.of(PolicyInForce), *(Key.of(Group, each) for each in catalog.groups())})
        before = snap.find(PolicyInForce)
        enact(ledger, catalog, checked.text, env.secret_keys, by=by or _user())
        was = f" instead of {before.version}" if before and before.version != catalog.version else ""
        click.echo(plain(f"{file}: version {catalog.version} is in force{was}"))
        for group in (each for each in snap.all(Group) if each.doubted):
            click.echo(
                f"{group.name}: the group with this name in Slack now counts; it is not the same group as"
                " before"
            )
        found = list(outdated_grants(ledger, ledger, catalog))
        for each in found:
            ended = end and end_outdated(ledger, catalog, each.grant.id)
            click.echo(plain(f"{'ended' if ended else 'not allowed'}: {_description(each)}"))
    except (TemporaryFailure, PermanentFailure) as failure:
        raise Misconfigured(str(failure)) from failure
    if found and not end:
        click.echo("to end the access that is not allowed, run rotakey policy apply --end")


def _description(it: Outdated) -> str:
    who = f"{it.name} ({it.grant.person})" if it.name else it.grant.person
    end = f"until {it.until:%Y-%m-%d %H:%M} UTC" if it.until else "without an end"
    if it.why.why in WORDS:
        return f"{it.grant.resource} of {who}, {end}: {WORDS[it.why.why]}"
    return f"{it.grant.resource} of {who}, {end}: this person may no longer have any access ({it.why.why})"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as on some platforms
        return f"user {os.getuid()}"
