"""Cards, alerts, notes and Home tabs, posted to Slack."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from slack_sdk import WebClient

from bot.core.catalog import digest
from bot.core.reasons import Why
from bot.ports.deadline import Deadline
from bot.ports.documents import Note, Place
from bot.ports.slack import AlertView, CardView
from bot.slack.api.web_api import Declined, call
from bot.slack.views import lists
from bot.slack.views.alerts import alert
from bot.slack.views.blocks import Block, actions, button, section
from bot.slack.views.cards import APPROVER, card
from bot.slack.wording import answers as words
from bot.slack.wording.reasons import NOT_COPIED, refusal
from bot.usecases.results import HomeView

_NOT_THERE = frozenset({"channel_not_found", "not_in_channel", "user_not_in_channel", "is_archived"})
_PLAIN = {"unfurl_links": False, "unfurl_media": False}


class SlackMessenger:
    """The messages in Slack. Implements Messenger and Publisher. ``client`` gives the token and the
    address."""

    def __init__(self, client: WebClient) -> None:
        self._client = client

    def show(self, view: CardView, place: Place, deadline: Deadline) -> Place:
        """Post or update the card. The place returned has the channel that Slack names, which for a person is
        their DM."""
        return self._post(card(view, place.audience), place, deadline)

    def show_alert(self, view: AlertView, place: Place, deadline: Deadline) -> Place:
        return self._post(alert(view), place, deadline)

    def card_digest(self, view: CardView, audience: str) -> str:
        return message_digest(card(view, audience))

    def alert_digest(self, view: AlertView) -> str:
        return message_digest(alert(view))

    def _post(self, message: tuple[str, list[Block]], place: Place, deadline: Deadline) -> Place:
        text, blocks = message
        shown: dict[str, Any] = {"channel": place.channel, "text": text, "blocks": blocks}
        if place.ts is None:
            answer = call(self._client, deadline, "chat.postMessage", shown | _PLAIN)
        else:
            answer = call(self._client, deadline, "chat.update", shown | {"ts": place.ts})
        channel, ts = str(answer.get("channel", place.channel)), str(answer.get("ts", place.ts))
        return replace(place, channel=channel, ts=ts)

    def tell(self, note: Note, deadline: Deadline, terms: CardView | None = None) -> None:
        """Send a note. A whisper that its channel cannot show goes to the person's DM."""
        shown = card(terms, APPROVER)[1] if terms else []
        said: dict[str, Any] = {"text": _text(note), "blocks": [*_blocks(note), *shown]}
        if note.whisper_to is None:
            below = {"thread_ts": note.thread, "reply_broadcast": True} if note.thread else {}
            where = {"channel": note.channel, **below}
            call(self._client, deadline, "chat.postMessage", {**where, **said, **_PLAIN})
            return
        whisper = {"channel": note.channel, "user": note.whisper_to, **said}
        try:
            call(self._client, deadline, "chat.postEphemeral", whisper)
        except Declined as declined:
            if declined.error not in _NOT_THERE:
                raise
            call(self._client, deadline, "chat.postMessage", {"channel": note.whisper_to, **said, **_PLAIN})

    def publish(self, home: HomeView, deadline: Deadline) -> None:
        call(self._client, deadline, "views.publish", {"user_id": home.person, "view": lists.home(home)})


def message_digest(message: tuple[str, list[Block]]) -> str:
    """Return a short name for the text and buttons of a message."""
    return digest(json.dumps(message, sort_keys=True))


def _text(note: Note) -> str:
    said = refusal(note.reason)
    return said if note.copied else f"{said} {NOT_COPIED}"


def _blocks(note: Note) -> list[Block]:
    blocks = [section(_text(note))]
    resource = note.reason.facts.get("resource")
    if note.reason.why is Why.SHIFT_NOT_STARTED and resource:
        blocks.append(actions([button(words.REQUEST, "request", str(resource))], block_id="ask"))
    return blocks
