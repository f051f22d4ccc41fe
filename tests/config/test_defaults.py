"""The settings of a source that a file leaves out and that come from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import Policy, check, load
from bot.config.targets import targets_of
from bot.oncall.pagerduty.settings import PagerDutySettings

SHORT = """\
oncall:
  pagerduty: {kind: pagerduty}
  europe: {kind: pagerduty, token: "${EU_TOKEN}", api_url: https://api.eu.pagerduty.com}
resources:
  prod-db: {title: Orders, gives: [{target: db, role: rw}], approvers: [U02BOB]}
targets: {db: {kind: postgres, url: "${DB_URL}"}}
"""
ENVIRON = {"DB_URL": "postgresql://bot@db/orders", "PAGERDUTY_TOKEN": "u+1", "EU_TOKEN": "u+2"}


def source(policy: Policy, name: str) -> tuple[str, str]:
    found = policy.oncall[name]
    assert isinstance(found, PagerDutySettings)
    return found.token.get_secret_value(), found.api_url


def said(environ: dict[str, str]) -> list[str]:
    return [str(each) for each in check(SHORT, environ=environ)]


def test_a_source_without_a_token_takes_that_of_the_environment() -> None:
    policy = load(SHORT, environ=ENVIRON)
    assert source(policy, "pagerduty") == ("u+1", "https://api.pagerduty.com")
    assert source(policy, "europe") == ("u+2", "https://api.eu.pagerduty.com")


def test_the_address_of_the_api_comes_from_the_environment_if_it_is_set() -> None:
    policy = load(SHORT, environ={**ENVIRON, "PAGERDUTY_API_URL": "http://127.0.0.1:8081"})
    assert source(policy, "pagerduty")[1] == "http://127.0.0.1:8081"
    assert source(policy, "europe")[1] == "https://api.eu.pagerduty.com"
    assert source(load(SHORT, environ={**ENVIRON, "PAGERDUTY_API_URL": ""}), "pagerduty") == (
        "u+1",
        "https://api.pagerduty.com",
    )


def test_a_default_that_is_not_set_is_reported_where_its_source_stands() -> None:
    environ = {name: value for name, value in ENVIRON.items() if name != "PAGERDUTY_TOKEN"}
    assert said(environ) == [
        "access.yaml:2: oncall.pagerduty.token: the variable PAGERDUTY_TOKEN is not set; set it in the"
        " environment: a read-only REST API key, from PagerDuty, Integrations, API Access Keys"
    ]


def test_a_token_may_come_from_a_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("u+3\n")
    environ = {name: value for name, value in ENVIRON.items() if name != "PAGERDUTY_TOKEN"}
    assert (
        source(load(SHORT, environ={**environ, "PAGERDUTY_TOKEN_FILE": str(token)}), "pagerduty")[0] == "u+3"
    )
    [mistake] = said({**environ, "PAGERDUTY_TOKEN_FILE": str(tmp_path)})
    assert "cannot be read from the file that PAGERDUTY_TOKEN_FILE names" in mistake


@pytest.mark.parametrize(
    ("name", "value", "mistake"),
    [
        (
            "PAGERDUTY_TOKEN",
            "a b",
            "token: contains spaces or unusual characters; copy it again, on one line",
        ),
        (
            "PAGERDUTY_TOKEN",
            "",
            "the variable PAGERDUTY_TOKEN is empty; set it in the environment",
        ),
        ("PAGERDUTY_API_URL", "https://a b", "is not a valid URL; write one that starts with https://"),
    ],
)
def test_a_value_that_cannot_be_right_is_a_mistake(name: str, value: str, mistake: str) -> None:
    [only] = said({**ENVIRON, name: value})
    assert only.startswith("access.yaml:2: oncall.pagerduty.")
    assert only.endswith(mistake)
    assert "a b" not in only or name == "PAGERDUTY_API_URL"


def test_a_process_that_reaches_no_source_needs_no_token() -> None:
    policy = load(SHORT, environ={}, secrets=False)
    assert source(policy, "pagerduty") == ("", "https://api.pagerduty.com")


def test_revoking_needs_no_token() -> None:
    found = targets_of(SHORT, environ={"DB_URL": ENVIRON["DB_URL"]})
    assert list(found.settings) == ["db"]
    assert found.skipped == {}


def test_nothing_shows_a_token() -> None:
    policy = load(SHORT, environ=ENVIRON)
    assert "u+1" not in repr(policy.oncall["pagerduty"])
