"""The bot's listeners in Slack: each hears something, has it done, and answers in the acknowledgement."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_urlsafe

import structlog
from slack_bolt import Ack, App, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.core.errors import TemporaryFailure
from bot.ports.documents import Home
from bot.slack.api.directory import person_from
from bot.slack.incoming import clicks, commands, submissions
from bot.slack.incoming.actor import Body
from bot.slack.incoming.afterwards import Afterwards
from bot.slack.incoming.commands import SlackContext, ephemeral
from bot.slack.incoming.payloads import MALFORMED, OTHER
from bot.slack.views import forms
from bot.slack.views.blocks import Block
from bot.slack.wording import answers as words
from bot.usecases import people
from bot.usecases.context import Context
from bot.usecases.requests import look
from bot.usecases.schedules import groups

COMMAND = "/access"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class SlackSettings:
    """The settings of the Slack app. ``signing_secret`` empty: Socket Mode, where Slack's connection vouches
    for what comes in."""

    token: str = field(repr=False)
    signing_secret: str = field(default="", repr=False)
    api_url: str = "https://slack.com/api/"


def build(context: Context, settings: SlackSettings, afterwards: Afterwards | None = None) -> App:
    """Build the app without calling Slack. A listener writes down what it does before it acknowledges."""
    client = WebClient(token=settings.token, base_url=settings.api_url)
    app = _app(settings)
    slack = SlackContext(context=context, client=client, afterwards=afterwards or Afterwards(context.ledger))
    app.error(_answer_error)
    app.use(_turning_away)
    app.command(COMMAND)(_acknowledging(slack, commands.answer))
    app.view(forms.REQUEST)(_acknowledging(slack, submissions.submit_request))
    app.view(forms.DENY)(_acknowledging(slack, submissions.submit_denial))
    app.action(re.compile(""))(_pressing(slack))
    app.event("app_home_opened")(_listening(context, _home_opened))
    app.event("user_change")(_listening(context, _person_changed))
    for event in groups.LOSSES:
        app.event(event)(_listening(context, _bot_shut_out))
    app.event(re.compile(""))(lambda: None)  # Slack stops sending events if most are turned away
    return app


def _app(settings: SlackSettings) -> App:
    """Build the bare app. Nothing is taken from the environment, and no request is ever logged: its body may
    hold secrets. In Socket Mode nobody knows the signing secret, so nothing is accepted over HTTP."""
    quiet = logging.getLogger("slack_bolt.quiet")
    quiet.setLevel(logging.CRITICAL)
    return App(
        name="rotakey",
        logger=quiet,
        client=WebClient(base_url=settings.api_url, logger=quiet),
        authorize=lambda enterprise_id, team_id: AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token=settings.token
        ),
        signing_secret=settings.signing_secret or token_urlsafe(),
        ssl_check_enabled=False,
        token_verification_enabled=False,
        process_before_response=True,
    )


def _turning_away(body: Body, next_: Callable[[], BoltResponse]) -> BoltResponse:
    """Reject what is signed and yet not as Slack sends it: Slack has changed, or somebody knows the
    secret."""
    if body.get("type") == MALFORMED:
        log.warning("not as Slack sends it", wrong=body["wrong"])
        return BoltResponse(status=400, body="this is not as Slack sends it\n")
    if body.get("type") == OTHER:
        return BoltResponse(status=404, body="nothing here listens to this\n")
    return next_()


def _acknowledging(slack: SlackContext, answer: Callable[[SlackContext, Body], Block]) -> Callable[..., None]:
    def listener(ack: Ack, body: Body) -> None:
        ack(answer(slack, body) or "")

    return listener


def _pressing(slack: SlackContext) -> Callable[..., BoltResponse | None]:
    def listener(ack: Ack, body: Body) -> BoltResponse | None:
        seen = clicks.carry_out(slack, body)
        return ack() if seen else BoltResponse(status=503)

    return listener


def _listening(
    context: Context, hear: Callable[[Context, Home, Body], None]
) -> Callable[..., BoltResponse | None]:
    """Listen to events of our own workspace. Slack sends an event again if it is not acknowledged."""

    def listener(body: Body) -> BoltResponse | None:
        try:
            home = context.home()
            if home and body.get("team_id") == home.team:
                hear(context, home, body["event"])
        except TemporaryFailure:
            return BoltResponse(status=503)
        return None

    return listener


def _home_opened(context: Context, _: Home, event: Body) -> None:
    if event.get("tab") == "home":
        look.owe_home(context, person=event["user"])


def _person_changed(context: Context, home: Home, event: Body) -> None:
    people.take_hint(context.ledger, person_from(event["user"], home))


def _bot_shut_out(context: Context, _: Home, event: Body) -> None:
    """Record that Slack revoked the bot's token. The same event reports people's tokens, which the bot does
    not use."""
    what = event["type"]
    if what == "tokens_revoked" and not (event.get("tokens") or {}).get("bot"):
        return
    log.critical("slack does not let the bot in any more", because=groups.LOSSES[what], do=groups.REINSTALL)
    groups.record_loss(context.ledger, what)


def _answer_error(error: Exception, body: Body) -> BoltResponse:
    """Handle any unforeseen error, here alone; the person then sees words, not a trace."""
    log.error("listener failed", exc_info=error, kind=body.get("type") or body.get("command"))
    if body.get("command"):
        return BoltResponse(status=200, body=ephemeral(words.BROKEN))
    if body.get("type") == "view_submission":
        shown = {"response_action": "update", "view": forms.notice(words.BROKEN)}
        return BoltResponse(status=200, body=shown)
    return BoltResponse(status=503)
