"""A resource cannot have a name that ``/access`` reads as something else."""

from __future__ import annotations

import re

import pytest

from bot.config.forms import NAME
from bot.core.words import RESERVED, VERBS, read_otherwise
from bot.slack.grammar import verbs
from tests.config.files import HEAD, said


@pytest.mark.parametrize(
    "name",
    [
        *(
            "4h",
            "all",
            "because",
            "to",
            "for",
            "until",
            "urgent",
            "approve",
            "status",
            "me",
            "ls",
            "withdraw",
        ),
        *(
            "90m",
            "1h30m",
            "1.5h",
            "30min",
            "2days",
            "42",
            "2026-11-28",
            "5pm",
            "12a.m.",
            "pt2h",
            "p1d",
            "monday",
        ),
    ],
)
def test_such_a_name_is_a_mistake(name: str) -> None:
    (only,) = said(HEAD.replace("prod-db", f'"{name}"') + "    approvers: [U02BOB]\n")
    assert only == (
        f'access.yaml:4: resources.{name}: "{name}" would be misread by /access; choose another name, such'
        f" as {name}-access"
    )


@pytest.mark.parametrize(
    "name",
    [
        *(
            "prod-db",
            "1password",
            "3d-models",
            "4horsemen",
            "allow-list",
            "for-ada",
            "urgent-db",
            "mon-db",
            "p2p",
        ),
        *("k8s", "s3", "m365", "day2ops", "h2", "2nd-line", "request-tracker", "pto", "list-service", "2fa"),
    ],
)
def test_any_other_name_is_good(name: str) -> None:
    assert said(HEAD.replace("prod-db", name) + "    approvers: [U02BOB]\n") == []


def test_every_verb_and_synonym_of_the_command_is_among_the_words() -> None:
    assert {each for each in verbs._SYNONYMS if re.fullmatch(NAME, each)} <= VERBS


def test_what_is_suggested_instead_is_a_good_name() -> None:
    assert not [each for each in RESERVED if read_otherwise(f"{each}-access")]
    assert [each for each in RESERVED if re.fullmatch(NAME, each) is None] == []
