"""What security people do: they take everything from somebody and allow it again, stop all rules for a while,
and decide about access that is missing at a target."""

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
from tests.chaos.deeds import Deed, Deeds
from tests.chaos.deployment import Deployment

log = structlog.get_logger(__name__)
PAUSE, LASTS = (3.0, 12.0), (1.0, 6.0)
THINKS = (0.5, 3.0)
POLL = 0.5
VERBS = {"grant_again": "grant again", "end_them": "end them"}


class Guard:
    """Use it as a context manager. ``calm`` ends all that was stopped; what is missing is decided about until
    the end."""

    def __init__(
        self, deployment: Deployment, deeds: Deeds, rng: random.Random, *, stops: bool = True
    ) -> None:
        self._deployment, self._deeds = deployment, deeds
        self._rngs = [random.Random(rng.random()) for _ in range(2)]
        self._calm, self._over = threading.Event(), threading.Event()
        self._stopping = threading.Thread(target=self._stop_and_start, daemon=True, name="security")
        self._deciding = threading.Thread(target=self._decide, daemon=True, name="missing")
        self._stops = stops
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        if self._stops:
            self._stopping.start()
        self._deciding.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._calm.set()
        self._over.set()
        if self._stops:
            self._stopping.join()
        self._deciding.join()

    def calm(self) -> None:
        """Nobody is stopped any more, whatever came back with an older Redis."""
        self._calm.set()
        if self._stops:
            self._stopping.join()
        for person in scenario.PEOPLE:
            self._allow(person, self._rngs[0])
        self._unfreeze(self._rngs[0])

    # ------------------------------------------------------------------------- stopping and starting

    def _stop_and_start(self) -> None:
        rng = self._rngs[0]
        while not self._calm.wait(rng.uniform(*PAUSE)):
            try:
                self._once(rng)
            except Exception as error:  # what goes wrong in here is a fault of the harness
                log.exception("security stumbled")
                self.failed.append(repr(error))

    def _once(self, rng: random.Random) -> None:
        by = rng.choice(scenario.SECURITY)
        if rng.random() < 0.6:
            person = rng.choice([each for each in scenario.PEOPLE if each not in scenario.SECURITY])
            text = f"revoke @{scenario.name(person)} all because a laptop is gone"
            self._types("revoke all", by, text, rng, person)
            self._calm.wait(rng.uniform(*LASTS))
            self._allow(person, rng)
        else:
            self._types("freeze", by, "freeze because something is odd", rng)
            self._calm.wait(rng.uniform(*LASTS))
            self._unfreeze(rng)

    def _allow(self, person: str, rng: random.Random) -> None:
        text = f"allow @{scenario.name(person)}"
        self._until_gone(
            Key.of(Ban, person),
            lambda: self._types("allow", rng.choice(scenario.SECURITY), text, rng, person),
        )

    def _unfreeze(self, rng: random.Random) -> None:
        self._until_gone(
            Key.of(Freeze), lambda: self._types("unfreeze", rng.choice(scenario.SECURITY), "unfreeze", rng)
        )

    def _until_gone(self, key: Key, do: Callable[[], object]) -> None:
        """Whatever they were answered."""
        while not self._over.is_set():
            with suppress(TemporaryFailure):
                if key not in self._deployment.ledger.read({key}).documents:
                    return
                do()
            time.sleep(POLL)

    # -------------------------------------------------------------------------- what is missing

    def _decide(self) -> None:
        rng = self._rngs[1]
        while not self._over.wait(POLL):
            for place, verbs in self._deployment.history.asking(tuple(VERBS)):
                if self._over.wait(rng.uniform(*THINKS)):
                    return
                verb = rng.choice(verbs)
                deed = self._deed(VERBS[verb], rng.choice((*scenario.SECURITY, *scenario.APPROVERS)))
                with suppress(ImpossibleError):  # decided meanwhile
                    self._deeds.clicks(deed, place, verb, rng)

    def _types(self, what: str, by: str, text: str, rng: random.Random, person: str = "") -> Deed:
        return self._deeds.types(self._deed(what, by, person), text, rng)

    def _deed(self, what: str, by: str, person: str = "") -> Deed:
        return Deed(what=what, by=by, person=person, resource="", sent=0, answered=0, outcome="")
