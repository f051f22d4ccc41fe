"""A short round of ``make chaos``: processes die and sleep at random, and no access outlives its reason."""

from __future__ import annotations

import secrets

import pytest

from tests.chaos.report import details_of
from tests.chaos.round import Round, Terms

pytestmark = pytest.mark.chaos


def test_no_access_outlives_its_reason_whatever_dies() -> None:
    terms = Terms(
        seed=secrets.randbelow(1_000_000),
        grants=120,
        kills=8,
        rate=6,
        pace=0.8,
        longest=6,
        rest=0,
        patience=150,
        hang=4,
        copies=True,
    )
    outcome = Round(terms).play()
    assert not outcome.violations, details_of(outcome)
    assert outcome.director.kills.total() >= terms.kills
    assert not outcome.unsettled


def test_a_design_that_loses_what_it_has_begun_is_found_out() -> None:
    """Work that leaves the queue when it is begun dies with whoever does it."""
    terms = Terms(
        seed=secrets.randbelow(1_000_000),
        grants=30,
        kills=6,
        rate=5,
        pace=0.3,
        longest=3,
        rest=0,
        patience=6,
        only_kill_at=("before grant", "before revoke"),
        design="claims",
    )
    outcome = Round(terms).play()
    found = {each.what for each in outcome.violations if each.about != "still asked"}  # that lapses later
    assert found & {"left over", "unfinished", "stuck", "card missing"}, found
    outcome.forget()
