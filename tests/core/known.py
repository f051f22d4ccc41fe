"""The facts that are known of everybody at nine, and objections to a person."""

from __future__ import annotations

from typing import Any

from bot.core.members import Facts
from bot.core.people import Person
from bot.core.reasons import Why
from bot.testing.cast import GROUP, NINE, SCHEDULE, TEAM, dba, people, roster

BAD_PEOPLE: list[tuple[dict[str, Any], Why]] = [
    ({"deactivated": True}, Why.PERSON_DEACTIVATED),
    ({"bot": True}, Why.PERSON_BOT),
    ({"stranger": True}, Why.PERSON_EXTERNAL),
    ({"team": "T2"}, Why.PERSON_EXTERNAL),
    ({"guest": True}, Why.PERSON_GUEST),
    ({"email": None}, Why.NO_EMAIL),
    ({"email": ""}, Why.NO_EMAIL),
    ({"email": "ada@evil.test@example.com"}, Why.NO_EMAIL),
    ({"email_confirmed": False}, Why.EMAIL_UNCONFIRMED),
    ({"shared_email": True}, Why.EMAIL_SHARED),
    ({"email": "ada@evil.test"}, Why.EMAIL_FOREIGN),
    ({"email": "ada@example.com.evil.test"}, Why.EMAIL_FOREIGN),
    ({"email": "ada@sub.example.com"}, Why.EMAIL_FOREIGN),
]


def facts(*others: Person, **changes: Any) -> Facts:
    known: dict[str, Any] = {
        "now": NINE,
        "home": TEAM,
        "people": people(*others),
        "groups": {GROUP: dba()},
        "rosters": {SCHEDULE: roster()},
    }
    return Facts(**{**known, **changes})
