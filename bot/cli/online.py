"""The look-ups of ``rotakey check --online``: whether the names in access.yaml exist where they point to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path

from slack_sdk import WebClient

from bot import config
from bot.ports.deadline import Deadline
from bot.slack.api.app import SlackApp
from bot.slack.api.directory import SlackDirectory
from bot.slack.api.manifest import scopes
from bot.usecases.doctor import names, pager, slack, targets
from bot.usecases.doctor.findings import Check, Finding, look_at, run_checks
from bot.wiring.adapters import Adapters
from bot.wiring.components import wall

ALL_WITHIN, SPARE = 15.0, 1.0
"""Seconds for all of it, and those at the end in which a check says what did not answer."""


def online_findings(file: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Return what is wrong with the names in a file without mistakes, the worst first. Redis is not needed.
    Raise Misconfigured if the environment cannot be read or lacks a variable of the file."""
    env = config.Environment.read(environ)
    policy = config.load(config.bytes_of(file), name=str(file), environ=environ)
    catalog = policy.catalog
    client = WebClient(token=env.slack_bot_token.get_secret_value(), base_url=env.slack_api_url)
    directory, app = SlackDirectory(client), SlackApp(client, "")
    with closing(Adapters(env, environ, policy)) as adapters:

        def source(name: str) -> Check:
            return lambda by: pager.look_at_source(adapters.source, name, catalog, wall(), by)

        def target(name: str) -> Check:
            gives = targets.gives_by_target(catalog)[name]
            accounts = targets.accounts_by_target(catalog).get(name, ())
            return lambda by: chain(
                targets.look_at_gives(adapters.target, gives, by, accounts),
                targets.look_at_ready(adapters.target, gives, by, accounts),
            )

        checks: dict[str, Check] = {
            **{f"{pager.ON_CALL} {name}": source(name) for name in pager.sources_of(catalog)},
            **{f"{targets.TARGET} {name}": target(name) for name in targets.gives_by_target(catalog)},
        }
        if env.slack_bot_token:
            checks |= {
                slack.SLACK: lambda by: slack.scopes(app.facts(by), scopes()),
                "slack channels": lambda by: slack.look_at_channels(app, catalog, by),
                names.NAMES: lambda by: names.look_at_names(directory, catalog, by),
            }
        else:
            what = "SLACK_BOT_TOKEN is not set, so names in Slack were not looked up"
            checks[slack.SLACK] = lambda _: [look_at(slack.SLACK, what)]
        return run_checks(checks, Deadline.after(ALL_WITHIN), SPARE)
