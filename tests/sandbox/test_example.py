"""The example policy with some of its targets alone."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
import yaml

from bot import config
from bot.cli.sandbox import to_try
from bot.sandbox.example import POLICY, example, with_evidence_in
from bot.sandbox.stack.kinds import KINDS
from tests.config.files import ENVIRON

SOME = [part for size in range(1, len(KINDS) + 1) for part in combinations(KINDS, size)]


@pytest.mark.parametrize("kinds", SOME)
def test_every_part_of_it_is_a_policy_without_mistakes(kinds: tuple[str, ...]) -> None:
    policy = config.load(example(kinds), environ=ENVIRON)
    assert {each.kind for each in policy.targets.values()} == set(kinds)
    given = {gives.target for resource in policy.catalog.resources.values() for gives in resource.gives}
    assert given == set(policy.targets)
    assert policy.catalog.schedules()
    named = {target for accounts in policy.catalog.people.accounts.values() for target in accounts}
    assert named <= set(policy.targets)


def test_the_whole_of_it_is_the_file_itself() -> None:
    assert example(KINDS) == POLICY.read_text("utf-8")
    assert to_try(kinds=KINDS).path == POLICY.resolve()


def test_the_endpoint_alone_leaves_out_what_needs_the_database() -> None:
    policy = to_try(kinds=["webhook"])
    assert policy.path is None
    assert list(policy.catalog.resources) == ["deploy-admin"]
    assert policy.targets == {"deploy-hook": "webhook"}
    assert policy.variables == {
        "DEPLOY_HOOK_URL": ("deploy-hook", "url"),
        "DEPLOY_HOOK_SECRET": ("deploy-hook", "secret"),
    }


def test_what_is_light_is_shown_without_being_asked_for() -> None:
    assert to_try().targets == {"orders-db": "postgres", "deploy-hook": "webhook"}


def test_anchor_and_archive_are_in_the_sandboxs_own_folder(tmp_path: Path) -> None:
    text = """\
targets: {}
resources: {}
audit: {anchor: {file: /var/lib/rotakey/anchor, channel: "#audit"}, archive: {dir: /srv/audit}}
"""
    audit = yaml.safe_load(with_evidence_in(tmp_path, text))["audit"]
    assert audit == {
        "anchor": {"file": str(tmp_path / "anchor"), "channel": "#audit"},
        "archive": {"dir": str(tmp_path / "archive")},
    }
    assert (tmp_path / "archive").is_dir()
    for kept in ("targets: {}\n", 'audit: {anchor: {channel: "#audit"}}\n'):
        assert with_evidence_in(tmp_path, kept) == kept
