"""The bot's listeners in Slack: each hears something, has it done, and answers in the acknowledgement."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_urlsafe

import structlog
from slack_bolt import Ack, App, BoltRequest, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.core.errors import TemporaryFailure
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
    quiet = logging.getLogger("slack_bolt.quiet")  # no request is ever logged: its body may hold secrets
    quiet.setLevel(logging.CRITICAL)
    app = App(  # with nothing from the environment
        name="rotakey",
        logger=quiet,
        client=WebClient(base_url=settings.api_url, logger=quiet),
        authorize=lambda enterprise_id, team_id: AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token=settings.token
        ),
        # in Socket Mode nobody knows the secret, so nothing is accepted over HTTP
        signing_secret=settings.signing_secret or token_urlsafe(),
        ssl_check_enabled=False,
        token_verification_enabled=False,
        process_before_response=True,
    )
    client = WebClient(token=settings.token, base_url=settings.api_url)
    slack = SlackContext(context=context, client=client, afterwards=afterwards or Afterwards(context.ledger))
    app.error(_answer_error)
    app.use(_turning_away)

    def command(ack: Ack, body: Body, request: BoltRequest) -> None:
        [sent_at] = request.headers.get("x-slack-request-timestamp") or [""]
        ack(commands.answer(slack, body, float(sent_at) if sent_at else None) or "")

    app.command(COMMAND)(command)
    app.view(forms.REQUEST)(_listener(slack, submissions.submit_request))
    app.view(forms.DENY)(_listener(slack, submissions.submit_denial))

    def press(ack: Ack, body: Body) -> BoltResponse | None:
        return ack() if clicks.carry_out(slack, body) else BoltResponse(status=503)

    app.action(re.compile(""))(press)
    for event in ("app_home_opened", "user_change", *groups.LOSSES):
        app.event(event)(lambda body: _hear(context, body))
    app.event(re.compile(""))(lambda: None)  # Slack stops sending events if most are turned away
    return app


def _listener(slack: SlackContext, answer: Callable[[SlackContext, Body], Block]) -> Callable[..., None]:
    def listener(ack: Ack, body: Body) -> None:
        ack(answer(slack, body) or "")

    return listener


def _hear(context: Context, body: Body) -> BoltResponse | None:
    """Hear an event of our own workspace. Slack sends an event again if it is not acknowledged."""
    event = body["event"]
    try:
        home = context.home()
        if home is None or body.get("team_id") != home.team:
            return None
        match event["type"]:
            case "app_home_opened":
                if event.get("tab") == "home":
                    look.owe_home(context, person=event["user"])
            case "user_change":
                people.take_hint(context.ledger, person_from(event["user"], home))
            case "tokens_revoked" if not (event.get("tokens") or {}).get("bot"):
                pass  # it reports tokens of people, which the bot does not use
            case loss:
                do = groups.REINSTALL
                log.critical("slack does not let the bot in any more", because=groups.LOSSES[loss], do=do)
                groups.record_loss(context.ledger, loss)
    except TemporaryFailure:
        return BoltResponse(status=503)
    return None


def _turning_away(body: Body, next_: Callable[[], BoltResponse]) -> BoltResponse:
    """Reject what is signed and yet not as Slack sends it: Slack has changed, or somebody knows the
    secret."""
    if body.get("type") == MALFORMED:
        log.warning("not as Slack sends it", wrong=body["wrong"])
        return BoltResponse(status=400, body="this is not as Slack sends it\n")
    if body.get("type") == OTHER:
        return BoltResponse(status=404, body="nothing here listens to this\n")
    return next_()


def _answer_error(error: Exception, body: Body) -> BoltResponse:
    """Handle any unforeseen error, here alone; the person then sees words, not a trace."""
    log.error("listener failed", exc_info=error, kind=body.get("type") or body.get("command"))
    if body.get("command"):
        return BoltResponse(status=200, body=ephemeral(words.BROKEN))
    if body.get("type") == "view_submission":
        shown = {"response_action": "update", "view": forms.notice(words.BROKEN)}
        return BoltResponse(status=200, body=shown)
    return BoltResponse(status=503)
