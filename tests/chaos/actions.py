"""People's actions in Slack and the answers they get, recorded independently of the bot."""

from __future__ import annotations

import random
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from bot.doubles.slack.model import ImpossibleError, Reply
from bot.slack.wording.answers import BROKEN, COPIED, NOT_RECORDED, UNCONFIRMED
from bot.slack.wording.reasons import NOT_COPIED
from tests.chaos import scenario
from tests.chaos.deployment import Deployment
from tests.chaos.history import ShownTerms, shown_in

DONE, REFUSED, UNWRITTEN, UNKNOWN, BROKE = "done", "refused", "not recorded", "no answer", "broke"
_UNTIL = re.compile(r"<!date\^(\d+)\^")
_SUCCESS = re.compile(
    r"You get |You have \*|You already have |I'm already granting you |Requested |You already requested "
    r"|Done: |Withdrawn: |Denied: |Approved: |Your approval of "
    r"|\*[^*]+\* now ends |I'm revoking "
    r"|<@\w+> had nothing to revoke|<@\w+> is allowed again|Frozen: "
    r"|The freeze is over"
)
SHOWS_TERMS = "Nothing is decided yet, because you haven't seen the current terms."


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of a person. ``grant`` is the grant or extension that they named, if any; ``outcome`` is how
    the bot's ``answer`` reads. ``shown`` is what they had been shown of what they approved."""

    what: str
    by: str
    resource: str
    person: str
    sent: float
    answered: float
    outcome: str
    answer: str = ""
    grant: str | None = None
    reason: str = ""
    seconds: int = 0
    shown: tuple[ShownTerms, ...] = ()

    @property
    def until(self) -> int | None:
        """Return the end in the answer, in whole seconds."""
        found = _UNTIL.search(self.answer)
        return int(found[1]) if found else None


class Actions:
    """All actions so far. A person does one thing at a time; methods may be called from many threads."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._busy = {person: threading.Lock() for person in scenario.PEOPLE}
        self._shown: dict[tuple[str, str], list[ShownTerms]] = {}
        self.all: list[Action] = []

    def type(self, action: Action, text: str, rng: random.Random) -> Action:
        with self._busy[action.by]:
            self._deployment.connect_to_some_web(rng)
            action = replace(action, sent=time.time())
            reply = self._deployment.slack.type_command(action.by, scenario.GENERAL, "/access", text)
            outcome = _outcome_of_command(reply.status, reply.text)
            return self._record(replace(action, outcome=outcome, answer=reply.text))

    def click(
        self, action: Action, place: tuple[str, str], verb: str, rng: random.Random, value: str | None = None
    ) -> Action:
        """Click a button. Raise ImpossibleError if it is no longer there."""
        with self._busy[action.by]:
            self._deployment.connect_to_some_web(rng)
            self._close(action.by)
            action = replace(action, sent=time.time())
            reply = self._deployment.slack.click(action.by, *place, verb, value=value)
            answer = self._close_notice(action.by) if reply.ok else ""
            return self._record(replace(action, outcome=_outcome_of_click(reply, answer), answer=answer))

    def approve(
        self, action: Action, place: tuple[str, str], rng: random.Random, length: int | None = None
    ) -> Action:
        """Approve by the button, or for less by the menu. Raise ImpossibleError if it is no longer there."""
        newest = self._deployment.history.newest(place)
        if newest is None or newest.shown is None:
            raise ImpossibleError("there is nothing to approve any more")
        value = f"{newest.shown.value} {length}" if length else newest.shown.value
        return self.click(replace(action, shown=(newest.shown,)), place, "approve", rng, value)

    def type_approval(self, action: Action, rng: random.Random) -> Action:
        """Approve by id. That counts only if they were shown what they approve: in a direct message, or in
        the answer when they typed it before."""
        with self._busy[action.by]:
            self._deployment.connect_to_some_web(rng)
            grant = action.grant or ""
            shown = self._shown.setdefault((action.by, grant), [])
            before = (*shown, *self._deployment.history.shown_of(grant, "D" + action.by[1:]))
            action = replace(action, sent=time.time(), shown=before)
            reply = self._deployment.slack.type_command(
                action.by, scenario.GENERAL, "/access", f"approve {grant}"
            )
            outcome = _outcome_of_command(reply.status, reply.text)
            terms = shown_in(reply.blocks)
            shown += [terms] if terms else []
            if outcome == UNKNOWN:  # the answer may have shown it, and been lost
                shown += self._deployment.history.shown_of(grant)
            return self._record(replace(action, outcome=outcome, answer=reply.text))

    def deny(self, action: Action, place: tuple[str, str], rng: random.Random) -> Action:
        """Deny by the button and the form that it opens."""
        with self._busy[action.by]:
            self._deployment.connect_to_some_web(rng)
            self._close(action.by)
            opened = self._deployment.slack.click(action.by, *place, "deny")
            view = self._deployment.slack.view(action.by)
            action = replace(action, sent=time.time())
            if not opened.ok or view is None or view.given.get("callback_id") != "deny":
                return self._record(replace(action, outcome=UNKNOWN, answer=self._close_notice(action.by)))
            self._deployment.connect_to_some_web(rng)
            reply = self._deployment.slack.submit_view(action.by, {"reason": {"reason": "not now"}})
            answer = self._close_notice(action.by) if reply.ok else ""
            return self._record(replace(action, outcome=_outcome_of_click(reply, answer), answer=answer))

    def open_home(self, who: str, rng: random.Random) -> None:
        with self._busy[who]:
            self._deployment.connect_to_some_web(rng)
            self._deployment.slack.open_home(who)

    def _record(self, action: Action) -> Action:
        action = replace(action, answered=time.time())
        self.all.append(action)
        return action

    def _close_notice(self, who: str) -> str:
        """Close the view on top, which says why something was refused, and return its text."""
        view = self._deployment.slack.view(who)
        if view is None:
            return ""
        texts = [str(block.get("text", {}).get("text", "")) for block in view.blocks if "text" in block]
        self._close(who)
        return "\n".join(texts)

    def _close(self, who: str) -> None:
        while self._deployment.slack.view(who) is not None:
            with suppress(ImpossibleError):
                self._deployment.slack.close_view(who)


def _outcome_of_command(status: int, text: str) -> str:
    if status != 200:
        return UNKNOWN
    if text.startswith(UNCONFIRMED):
        return UNKNOWN
    if text.startswith(NOT_RECORDED):
        return UNWRITTEN
    if text.startswith(BROKEN):
        return BROKE
    return DONE if _SUCCESS.match(text) else REFUSED


def _outcome_of_click(reply: Reply, answer: str) -> str:
    if not reply.ok:
        return UNKNOWN
    if answer.startswith(UNCONFIRMED):
        return UNKNOWN
    if answer.startswith(NOT_RECORDED):
        return UNWRITTEN
    if answer.startswith(BROKEN):
        return BROKE
    return REFUSED if answer and NOT_COPIED not in answer else DONE


def is_copy(action: Action) -> bool:
    """Return whether the person was faster than the bot, which had not recorded yet where the card is."""
    return action.answer.startswith(COPIED)
