"""What people do in Slack, and what they are answered: written down here, independently of the bot."""

from __future__ import annotations

import random
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from bot.doubles.slack.model import ImpossibleError, Reply
from bot.slack.wording.answers import BROKEN, COPIED, NOT_RECORDED, UNCONFIRMED
from tests.chaos import scenario
from tests.chaos.deployment import Deployment
from tests.chaos.history import Shown, shown_in

DONE, REFUSED, UNWRITTEN, UNKNOWN, BROKE = "done", "refused", "not recorded", "no answer", "broke"
WAIT_FOR_FORM = 1.0
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
class Deed:
    """``grant`` where the person named one, or an extension; ``outcome`` what they were told of it. ``shown``
    is what they had seen of what they approved."""

    what: str
    by: str
    resource: str
    person: str
    sent: float
    answered: float
    outcome: str
    said: str = ""
    grant: str | None = None
    reason: str = ""
    seconds: int = 0
    shown: tuple[Shown, ...] = ()

    @property
    def until(self) -> int | None:
        """The end that they were told, in whole seconds."""
        found = _UNTIL.search(self.said)
        return int(found[1]) if found else None


class Deeds:
    """A person does one thing at a time. Safe to be used from many threads."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._busy = {person: threading.Lock() for person in scenario.PEOPLE}
        self._answered: dict[tuple[str, str], list[Shown]] = {}
        self.all: list[Deed] = []

    def types(self, deed: Deed, text: str, rng: random.Random) -> Deed:
        with self._busy[deed.by]:
            self._deployment.choose_web(rng)
            deed = replace(deed, sent=time.time())
            reply = self._deployment.slack.type_command(deed.by, scenario.GENERAL, "/access", text)
            outcome = _of_command(reply.status, reply.text)
            return self._noted(replace(deed, outcome=outcome, said=reply.text))

    def clicks(
        self, deed: Deed, place: tuple[str, str], verb: str, rng: random.Random, value: str | None = None
    ) -> Deed:
        """Raises ImpossibleError where the button is not there any more."""
        with self._busy[deed.by]:
            self._deployment.choose_web(rng)
            self._close(deed.by)
            deed = replace(deed, sent=time.time())
            reply = self._deployment.slack.click(deed.by, *place, verb, value=value)
            said = self._notice(deed.by) if reply.ok else ""
            return self._noted(replace(deed, outcome=_of_click(reply, said), said=said))

    def approves(
        self, deed: Deed, place: tuple[str, str], rng: random.Random, length: int | None = None
    ) -> Deed:
        """By the button, or for less by the menu. Raises ImpossibleError if it is not there any more."""
        newest = self._deployment.history.newest(place)
        if newest is None or newest.shown is None:
            raise ImpossibleError("there is nothing to approve any more")
        value = f"{newest.shown.value} {length}" if length else newest.shown.value
        return self.clicks(replace(deed, shown=(newest.shown,)), place, "approve", rng, value)

    def types_approval(self, deed: Deed, rng: random.Random) -> Deed:
        """By its id. It counts only if they have seen what they approve: in a direct message, or as the
        answer to having typed it before."""
        with self._busy[deed.by]:
            self._deployment.choose_web(rng)
            grant = deed.grant or ""
            answers = self._answered.setdefault((deed.by, grant), [])
            before = (*answers, *self._deployment.history.shown_of(grant, "D" + deed.by[1:]))
            deed = replace(deed, sent=time.time(), shown=before)
            reply = self._deployment.slack.type_command(
                deed.by, scenario.GENERAL, "/access", f"approve {grant}"
            )
            outcome = _of_command(reply.status, reply.text)
            shown = shown_in(reply.blocks)
            answers += [shown] if shown else []
            if outcome == UNKNOWN:  # the answer may have shown it, and been lost
                answers += self._deployment.history.shown_of(grant)
            return self._noted(replace(deed, outcome=outcome, said=reply.text))

    def denies(self, deed: Deed, place: tuple[str, str], rng: random.Random) -> Deed:
        """By the button, and the form that it opens."""
        with self._busy[deed.by]:
            self._deployment.choose_web(rng)
            self._close(deed.by)
            opened = self._deployment.slack.click(deed.by, *place, "deny")
            view = self._deployment.slack.view(deed.by)
            deed = replace(deed, sent=time.time())
            if not opened.ok or view is None or view.given.get("callback_id") != "deny":
                return self._noted(replace(deed, outcome=UNKNOWN, said=self._notice(deed.by)))
            self._deployment.choose_web(rng)
            reply = self._deployment.slack.submit_view(deed.by, {"reason": {"reason": "not now"}})
            said = self._notice(deed.by) if reply.ok else ""
            return self._noted(replace(deed, outcome=_of_click(reply, said), said=said))

    def looks_at_home(self, who: str, rng: random.Random) -> None:
        with self._busy[who]:
            self._deployment.choose_web(rng)
            self._deployment.slack.open_home(who)

    def _noted(self, deed: Deed) -> Deed:
        deed = replace(deed, answered=time.time())
        self.all.append(deed)
        return deed

    def _notice(self, who: str) -> str:
        """What a form on top says that has opened instead of what was wanted."""
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


def _of_command(status: int, text: str) -> str:
    if status != 200:
        return UNKNOWN
    if text.startswith(UNCONFIRMED):
        return UNKNOWN
    if text.startswith(NOT_RECORDED):
        return UNWRITTEN
    if text.startswith(BROKEN):
        return BROKE
    return DONE if _SUCCESS.match(text) else REFUSED


def _of_click(reply: Reply, said: str) -> str:
    if not reply.ok:
        return UNKNOWN
    if said.startswith(UNCONFIRMED):
        return UNKNOWN
    if said.startswith(NOT_RECORDED):
        return UNWRITTEN
    if said.startswith(BROKEN):
        return BROKE
    return REFUSED if said else DONE


def is_copy(deed: Deed) -> bool:
    """The person was faster than the bot, which had not noted yet where the card is."""
    return deed.said.startswith(COPIED)
