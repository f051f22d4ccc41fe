"""The policy of docs/aws.md is enough, and no more than enough."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.validate import ParamValidator

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure
from bot.core.holds import Hold
from bot.ports.deadline import Deadline
from bot.targets.aws_identity_center.target import IdentityCenter
from tests.paths import ROOT
from tests.targets.aws_identity_center.cloud import ACCOUNT, REGION, Cloud, credentials
from tests.targets.aws_identity_center.stage import SET, AwsStage, ServedCloud, on_aws

[POLICY] = re.findall(r"(?ms)^```json\n(.*?)^```$", (ROOT / "docs" / "aws.md").read_text("utf-8"))
ACTIONS = sorted(action for each in json.loads(POLICY)["Statement"] for action in (each["Action"]))
UNTIL = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def soon() -> Deadline:
    return Deadline.after(5)


@pytest.fixture
def stage(aws: ServedCloud) -> Iterator[AwsStage]:
    with on_aws(aws) as stage:
        yield stage


@pytest.fixture
def cloud(stage: AwsStage, aws: ServedCloud) -> Cloud:
    """AWS, where the bot has the policy of the document, with the names of this instance in it."""
    cloud = aws.cloud
    instance_id = cloud.instance.rpartition("/")[2]
    written = POLICY.replace("ps-0123456789abcdef", cloud.arn(SET).rpartition("/")[2])
    written = written.replace("ssoins-0123456789abcdef", instance_id).replace("123456789012", ACCOUNT)
    cloud.policy = json.loads(written)
    return cloud


def a_whole_life(target: IdentityCenter, cloud: Cloud, hold: Hold) -> None:
    """Do all that there is to do, with AWS still at work when it is looked at."""
    target.ready(hold, soon())
    receipt = target.prepare(hold, soon())
    cloud.faults.polls = 1
    cloud.begin("Creation", cloud.user_id("bob"), cloud.arn(SET))
    target.has(hold, [], soon())
    cloud.finish()
    target.grant(hold, [receipt], UNTIL, soon())
    cloud.begin("Deletion", cloud.user_id("bob"), cloud.arn(SET))
    target.holders(hold.entitlement, soon())
    target.has(hold, [receipt], soon())
    cloud.finish()
    target.revoke(hold, [receipt], soon())
    assert target.has(hold, [receipt], soon()).gone


def hold_of(stage: AwsStage) -> Hold:
    return Hold(target="orders-db", account="ada", entitlement=stage.entitlement())


def test_the_policy_has_the_operations_that_are_called_and_no_other(
    aws: ServedCloud, stage: AwsStage, cloud: Cloud
) -> None:
    called: set[str] = set()
    unlike_aws: set[str] = set()
    session = credentials()

    def note(model: Any, parsed: dict[str, Any], **_: object) -> None:
        """Record the operation, and in what its answer differs from AWS's own description."""
        called.add(f"{model.service_model.signing_name}:{model.name}")
        if "AccountAssignment" in model.name and "Error" not in parsed:  # what moto leaves out, and we add
            answer = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
            found = ParamValidator().validate(answer, model.output_shape)
            unlike_aws.update(found.generate_report().splitlines())

    session.events.register("after-call", note)
    a_whole_life(
        IdentityCenter("orders-db", cloud.instance, REGION, aws.url, session=session), cloud, hold_of(stage)
    )
    assert sorted(called) == ACTIONS
    assert unlike_aws == set()


@pytest.mark.parametrize("action", ACTIONS)
def test_each_permission_is_needed_and_named_if_it_is_missing(
    aws: ServedCloud, stage: AwsStage, cloud: Cloud, action: str
) -> None:
    assert cloud.policy
    for each in cloud.policy["Statement"]:
        each["Action"] = [one for one in each["Action"] if one != action]
    target = IdentityCenter("orders-db", cloud.instance, REGION, aws.url, session=aws.session)
    with pytest.raises(PermanentFailure, match=f"the bot may not {action}: allow it, as docs/aws.md says"):
        a_whole_life(target, cloud, hold_of(stage))


@pytest.mark.parametrize(("account", "permission_set"), [("999999999999", SET), (ACCOUNT, "ReadOnly")])
def test_the_policy_limits_what_can_be_given(
    stage: AwsStage, cloud: Cloud, account: str, permission_set: str
) -> None:
    what = (("account", account), ("permission_set", permission_set))
    hold = replace(hold_of(stage), entitlement=Entitlement(target="orders-db", what=what))
    receipt = stage.target.prepare(hold, soon())
    with pytest.raises(PermanentFailure, match="may not sso:CreateAccountAssignment"):
        stage.target.grant(hold, [receipt], UNTIL, soon())
    assert cloud.assigned() == []
