"""Security people: they revoke everything from somebody and allow it again, freeze all rules for a while, and
decide about access that is missing at a target."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import structlog

from bot.core.blocks import Ban, Freeze
from bot.core.errors import TemporaryFailure
from bot.doubles.slack.model import ImpossibleError
from bot.ports.documents import Key
from tests.chaos import scenario
from tests.chaos.actions import Action, Actions
from tests.chaos.deployment import Deployment

log = structlog.get_logger(__name__)
PAUSE, LASTS = (3.0, 12.0), (1.0, 6.0)
THINKS = (0.5, 3.0)
POLL = 0.5
VERBS = {"grant_again": "grant again", "end_them": "end them"}


class SecurityTeam:
    """Security people. A context manager. ``lift_all`` ends all bans and freezes; alerts are answered until
    the end. Without ``bans``, nobody is banned and nothing is frozen."""

    def __init__(
        self, deployment: Deployment, actions: Actions, rng: random.Random, *, bans: bool = True
    ) -> None:
        self._deployment, self._actions = deployment, actions
        self._rngs = [random.Random(rng.random()) for _ in range(2)]
        self._lifting, self._over = threading.Event(), threading.Event()
        self._banning = threading.Thread(target=self._ban_and_freeze, daemon=True, name="security")
        self._answering = threading.Thread(target=self._answer_alerts, daemon=True, name="alerts")
        self._bans = bans
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        if self._bans:
            self._banning.start()
        self._answering.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lifting.set()
        self._over.set()
        if self._bans:
            self._banning.join()
        self._answering.join()

    def lift_all(self) -> None:
        """End all bans and freezes, also those that came back with an older Redis, and begin no more."""
        self._lifting.set()
        if self._bans:
            self._banning.join()
        for person in scenario.PEOPLE:
            self._allow(person, self._rngs[0])
        self._unfreeze(self._rngs[0])

    # ------------------------------------------------------------------------- bans and freezes

    def _ban_and_freeze(self) -> None:
        rng = self._rngs[0]
        while not self._lifting.wait(rng.uniform(*PAUSE)):
            try:
                self._ban_or_freeze(rng)
            except Exception as error:  # an error of the harness
                log.exception("security people failed")
                self.errors.append(repr(error))

    def _ban_or_freeze(self, rng: random.Random) -> None:
        by = rng.choice(scenario.SECURITY)
        if rng.random() < 0.6:
            person = rng.choice([each for each in scenario.PEOPLE if each not in scenario.SECURITY])
            text = f"revoke @{scenario.name(person)} all because a laptop is gone"
            self._type("revoke all", by, text, rng, person)
            self._lifting.wait(rng.uniform(*LASTS))
            self._allow(person, rng)
        else:
            self._type("freeze", by, "freeze because something is odd", rng)
            self._lifting.wait(rng.uniform(*LASTS))
            self._unfreeze(rng)

    def _allow(self, person: str, rng: random.Random) -> None:
        text = f"allow @{scenario.name(person)}"
        self._repeat_until_gone(
            Key.of(Ban, person),
            lambda: self._type("allow", rng.choice(scenario.SECURITY), text, rng, person),
        )

    def _unfreeze(self, rng: random.Random) -> None:
        self._repeat_until_gone(
            Key.of(Freeze), lambda: self._type("unfreeze", rng.choice(scenario.SECURITY), "unfreeze", rng)
        )

    def _repeat_until_gone(self, key: Key, do: Callable[[], object]) -> None:
        """Repeat what they do until the document is gone, whatever the answer is."""
        while not self._over.is_set():
            with suppress(TemporaryFailure):
                if key not in self._deployment.ledger.read({key}).documents:
                    return
                do()
            time.sleep(POLL)

    # -------------------------------------------------------------------------- alerts

    def _answer_alerts(self) -> None:
        rng = self._rngs[1]
        while not self._over.wait(POLL):
            for place, verbs in self._deployment.history.with_buttons(tuple(VERBS)):
                if self._over.wait(rng.uniform(*THINKS)):
                    return
                verb = rng.choice(verbs)
                action = self._action(VERBS[verb], rng.choice((*scenario.SECURITY, *scenario.APPROVERS)))
                with suppress(ImpossibleError):  # decided meanwhile
                    self._actions.click(action, place, verb, rng)

    def _type(self, what: str, by: str, text: str, rng: random.Random, person: str = "") -> Action:
        return self._actions.type(self._action(what, by, person), text, rng)

    def _action(self, what: str, by: str, person: str = "") -> Action:
        return Action(what=what, by=by, person=person, resource="", sent=0, answered=0, outcome="")
