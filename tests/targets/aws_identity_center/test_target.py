"""Access that AWS is slow with, refuses or loses is neither there nor gone until AWS itself says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3.session
import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt
from bot.ports.deadline import Deadline
from bot.targets.aws_identity_center.target import IdentityCenter
from bot.testing.polling import until
from tests.targets.aws_identity_center.cloud import ACCOUNT, OWNER, REGION, SECRET, Cloud, credentials
from tests.targets.aws_identity_center.stage import SET, AwsStage, ServedCloud, on_aws

CREATE, DELETE = "CreateAccountAssignment", "DeleteAccountAssignment"
BRIEFLY = 1.5
"""Seconds in which AWS is asked, and its work is not done."""
UNTIL = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def soon(seconds: float = 5) -> Deadline:
    return Deadline.after(seconds)


@pytest.fixture
def stage(aws: ServedCloud) -> AwsStage:
    with on_aws(aws) as stage:
        return stage


@pytest.fixture
def cloud(stage: AwsStage, aws: ServedCloud) -> Cloud:
    aws.cloud.hurry.clear()
    return aws.cloud


@pytest.fixture
def hold(stage: AwsStage) -> Hold:
    return hold_of(stage, "ada")


def hold_of(stage: AwsStage, name: str) -> Hold:
    return Hold(target="orders-db", account=name, entitlement=stage.entitlement())


def prepared(stage: AwsStage, hold: Hold) -> Receipt:
    return stage.target.prepare(hold, soon())


def granted(stage: AwsStage, hold: Hold) -> Receipt:
    return stage.target.grant(hold, [prepared(stage, hold)], UNTIL, soon())


def presence(stage: AwsStage, hold: Hold, *receipts: Receipt) -> Presence:
    return stage.target.has(hold, receipts, soon()).presence


def at(aws: ServedCloud, session: boto3.session.Session | None = None, **more: int) -> IdentityCenter:
    return IdentityCenter(
        "orders-db", aws.cloud.instance, REGION, aws.url, session=session or aws.session, **more
    )


def test_a_receipt_has_the_ids_and_the_instance_with_its_store_and_owner(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    receipt = prepared(stage, hold)
    assert receipt.facts == {
        "user": cloud.user_id("ada"),
        "account": ACCOUNT,
        "permission_set": cloud.arn(SET),
    }
    instance, store, owner = receipt.system.split()
    assert (instance, owner) == (cloud.instance, OWNER)
    assert store.startswith("d-")


# --------------------------------------------------------------------------- what AWS takes its time for


def test_slow_work_is_followed_to_its_end(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    cloud.faults.polls = 2
    receipt = granted(stage, hold)
    assert stage.has_it("ada")

    stage.target.revoke(hold, [receipt], soon())
    assert not stage.has_it("ada")
    assert stage.target.has(hold, [receipt], soon()).gone


def test_a_request_that_is_not_known_everywhere_yet_is_asked_for_again(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    cloud.faults.polls, cloud.faults.unknown = 1, 2
    assert presence(stage, hold, granted(stage, hold)) is Presence.OURS


def test_what_is_being_assigned_is_neither_there_nor_gone_and_is_not_ordered_twice(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    receipt = prepared(stage, hold)
    cloud.faults.polls = None
    for _ in range(2):
        with pytest.raises(TemporaryFailure, match="orders-db: AWS is still assigning the permission set"):
            stage.target.grant(hold, [receipt], UNTIL, soon(BRIEFLY))

    look = stage.target.has(hold, [receipt], soon())
    assert (look.presence, look.receipts, look.gone) == (Presence.UNKNOWN, (receipt,), False)
    assert look.why == "orders-db: AWS is still assigning the permission set"

    cloud.finish()
    assert presence(stage, hold, receipt) is Presence.OURS
    assert stage.target.grant(hold, [receipt], UNTIL, soon()) == receipt
    assert cloud.calls.count(CREATE) == 1
    assert cloud.assigned() == [(cloud.user_id("ada"), SET)]


def test_following_leaves_time_to_say_that_it_goes_on(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    receipt = prepared(stage, hold)
    cloud.faults.polls = None
    until = soon(2)
    with pytest.raises(TemporaryFailure, match="still assigning"):
        stage.target.grant(hold, [receipt], UNTIL, until)
    assert until.seconds_left() > 0.2, "a call that used nine tenths of its time counts as hung"


def test_what_is_still_being_assigned_at_its_end_is_removed_after_that(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    receipt = prepared(stage, hold)
    cloud.faults.polls = None
    with pytest.raises(TemporaryFailure):
        stage.target.grant(hold, [receipt], UNTIL, soon(BRIEFLY))
    with pytest.raises(TemporaryFailure, match="still assigning"):
        stage.target.revoke(hold, [receipt], soon(BRIEFLY))
    assert not stage.target.has(hold, [receipt], soon()).gone

    cloud.faults.polls = 0
    threading.Timer(0.3, cloud.finish).start()
    stage.target.revoke(hold, [receipt], soon())
    assert cloud.assigned() == []
    assert stage.target.has(hold, [receipt], soon()).gone


def test_what_is_being_removed_is_not_gone_yet(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    receipt = granted(stage, hold)
    cloud.faults.polls = None
    with pytest.raises(TemporaryFailure, match="AWS is still removing the permission set"):
        stage.target.revoke(hold, [receipt], soon(BRIEFLY))

    look = stage.target.has(hold, [receipt], soon())
    assert (look.presence, look.receipts, look.gone) == (Presence.UNKNOWN, (receipt,), False)

    cloud.finish()
    assert stage.target.has(hold, [receipt], soon()).gone


def test_what_is_being_removed_is_assigned_again_after_that(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    receipt = granted(stage, hold)
    cloud.begin("Deletion", cloud.user_id("ada"), cloud.arn(SET))
    threading.Timer(0.3, cloud.finish).start()
    stage.target.grant(hold, [receipt], UNTIL, soon())
    assert stage.has_it("ada")


@pytest.mark.parametrize("verb", ["Creation", "Deletion"])
def test_what_was_under_way_and_failed_is_not_our_failure(
    stage: AwsStage, cloud: Cloud, hold: Hold, verb: str
) -> None:
    receipt = prepared(stage, hold)
    cloud.begin(verb, cloud.user_id("ada"), cloud.arn(SET), reason="Received a 403 status error")
    threading.Timer(0.3, cloud.finish).start()
    stage.target.grant(hold, [receipt], UNTIL, soon())
    assert stage.has_it("ada")


def test_what_somebody_else_is_just_assigning_is_not_taken_for_nothing(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    """Otherwise it would count as ours, and be revoked."""
    cloud.begin("Creation", cloud.user_id("ada"), cloud.arn(SET))
    assert presence(stage, hold) is Presence.UNKNOWN
    assert presence(stage, hold_of(stage, "bob")) is Presence.NONE

    cloud.finish()
    assert presence(stage, hold) is Presence.THEIRS


def test_requests_of_others_are_described_once(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    cloud.begin("Creation", cloud.user_id("bob"), cloud.arn(SET))
    for _ in range(3):
        assert presence(stage, hold) is Presence.NONE
    assert cloud.calls.count("DescribeAccountAssignmentCreationStatus") == 1


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("Received a 403 status error: Access denied by IAM: iam:CreateRole", PermanentFailure),
        ("Received a 404 status error: Not supported AWS account", PermanentFailure),
        ("Received a 429 status error: Rate exceeded", TemporaryFailure),
        ("Received a 503 status error: Service Unavailable", TemporaryFailure),
    ],
)
@pytest.mark.parametrize("polls", [0, 1])
def test_what_aws_fails_at_is_said_in_its_words(
    stage: AwsStage, cloud: Cloud, hold: Hold, reason: str, failure: type[Exception], polls: int
) -> None:
    receipt = prepared(stage, hold)
    cloud.faults = replace(cloud.faults, reason=reason, polls=polls)
    with pytest.raises(failure, match=f"AWS failed at assigning the permission set: {reason}"):
        stage.target.grant(hold, [receipt], UNTIL, soon())

    cloud.faults = replace(cloud.faults, reason=None)
    stage.target.grant(hold, [receipt], UNTIL, soon())
    cloud.faults = replace(cloud.faults, reason=reason)
    with pytest.raises(failure, match=f"AWS failed at removing the permission set: {reason}"):
        stage.target.revoke(hold, [receipt], soon())
    assert presence(stage, hold, receipt) is Presence.OURS


# ------------------------------------------------------------------------------------ what AWS refuses


@pytest.mark.parametrize("code", ["ConflictException", "ThrottlingException"])
def test_a_change_that_has_to_wait_is_sent_again(
    stage: AwsStage, cloud: Cloud, hold: Hold, code: str
) -> None:
    cloud.next_answers(CREATE, code, times=2)
    receipt = granted(stage, hold)
    assert (stage.has_it("ada"), cloud.calls.count(CREATE)) == (True, 3)

    cloud.next_answers(DELETE, code, times=2)
    stage.target.revoke(hold, [receipt], soon())
    assert (stage.has_it("ada"), cloud.calls.count(DELETE)) == (False, 3)


def test_work_on_the_same_permission_set_of_another_person_is_waited_for(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    cloud.begin("Creation", cloud.user_id("bob"), cloud.arn(SET))
    receipt = prepared(stage, hold)
    with pytest.raises(TemporaryFailure, match="another change of the same account"):
        stage.target.grant(hold, [receipt], UNTIL, soon(BRIEFLY))
    threading.Timer(0.3, cloud.finish).start()
    stage.target.grant(hold, [receipt], UNTIL, soon())
    assert stage.has_it("ada")


def test_a_wait_that_aws_asks_for_is_kept(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    receipt = prepared(stage, hold)
    cloud.next_answers(CREATE, "ThrottlingException", retry_after=30)
    cloud.next_answers("GetUserId", "ThrottlingException", times=3, RetryAfterSeconds=40)
    with pytest.raises(TemporaryFailure, match="AWS is limiting calls") as raised:
        stage.target.grant(hold, [receipt], UNTIL, soon())
    assert raised.value.retry_after == 30
    with pytest.raises(TemporaryFailure, match="AWS is limiting calls") as raised:
        stage.target.prepare(hold, soon())
    assert raised.value.retry_after == 40
    assert cloud.calls.count(CREATE) == 1
    assert cloud.assigned() == []


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerException"])
def test_reading_is_tried_again(stage: AwsStage, cloud: Cloud, hold: Hold, code: str) -> None:
    cloud.next_answers("ListAccountAssignments", code, times=2, status=500)
    assert presence(stage, hold) is Presence.NONE
    assert cloud.calls.count("ListAccountAssignments") == 3


def test_a_change_whose_outcome_nobody_knows_is_not_sent_again(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    receipt = prepared(stage, hold)
    cloud.next_answers(CREATE, "InternalServerException", status=500)
    with pytest.raises(TemporaryFailure, match="sso:CreateAccountAssignment answered 500"):
        stage.target.grant(hold, [receipt], UNTIL, soon())
    assert cloud.calls.count(CREATE) == 1

    stage.target.grant(hold, [receipt], UNTIL, soon())
    cloud.faults = replace(cloud.faults, loses=frozenset([DELETE]))
    with pytest.raises(TemporaryFailure, match="sso:DeleteAccountAssignment: no answer"):
        stage.target.revoke(hold, [receipt], soon())
    assert cloud.calls.count(DELETE) == 1
    assert stage.target.has(hold, [receipt], soon()).gone


@pytest.mark.parametrize(
    "code", ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"]
)
def test_credentials_that_aws_does_not_accept_are_to_be_renewed(
    stage: AwsStage, cloud: Cloud, hold: Hold, code: str
) -> None:
    cloud.next_answers("ListInstances", code, Message=f"The Canonical String should have been {SECRET}")
    with pytest.raises(PermanentFailure, match=rf"\({code}\): renew them") as raised:
        stage.target.has(hold, [], soon())
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("operation", "code", "status", "failure", "says"),
    [
        (CREATE, "ServiceQuotaExceededException", 400, PermanentFailure, "a quota is used up: raise it"),
        (CREATE, "ResourceNotFoundException", 400, PermanentFailure, "ResourceNotFoundException it is"),
        (CREATE, "ValidationException", 400, PermanentFailure, "ValidationException: ValidationExcep"),
        (CREATE, "ServiceUnavailableException", 503, TemporaryFailure, "answered 503"),
        (CREATE, "NobodyKnowsException", 500, TemporaryFailure, "answered 500"),
        ("ListInstances", "AccessDeniedException", 400, PermanentFailure, "may not sso:ListInstances: allow"),
    ],
)
def test_what_aws_refuses_says_what_to_do(
    stage: AwsStage,
    cloud: Cloud,
    hold: Hold,
    operation: str,
    code: str,
    status: int,
    failure: type[Exception],
    says: str,
) -> None:
    receipt = prepared(stage, hold)
    cloud.next_answers(operation, code, times=3, status=status)
    with pytest.raises(failure, match=says):
        stage.target.grant(hold, [receipt], UNTIL, soon())
    assert cloud.assigned() == []


@pytest.mark.parametrize("body", [b"<!doctype html>Please sign in", b"{}", b""])
@pytest.mark.parametrize(
    "operation",
    [
        "ListInstances",
        "ListAccountAssignments",
        "ListAccountAssignmentCreationStatus",
        "ListAccountAssignmentDeletionStatus",
        "GetUserId",
        "ListPermissionSets",
    ],
)
def test_an_answer_that_is_not_one_of_aws_never_means_nothing(
    stage: AwsStage, cloud: Cloud, hold: Hold, operation: str, body: bytes
) -> None:
    cloud.faults.bodies[operation] = body
    with pytest.raises(TemporaryFailure, match=f":{operation}: "):
        stage.target.has(hold, [], soon(3))


# ---------------------------------------------------------------------------- deadlines and credentials


def refreshed_by(refresh: Callable[[], dict[str, str]]) -> boto3.session.Session:
    """Return a session whose credentials have to be fetched first, as those of a role."""
    core = botocore.session.Session()
    core._credentials = RefreshableCredentials(
        None, None, None, datetime(2020, 1, 1, tzinfo=UTC), refresh, "assume-role"
    )
    return boto3.session.Session(botocore_session=core, region_name=REGION)


def test_credentials_that_come_late_send_nothing_late(aws: ServedCloud, cloud: Cloud, hold: Hold) -> None:
    come, fetched = threading.Event(), threading.Event()

    def refresh() -> dict[str, str]:
        come.wait(10)
        fetched.set()
        frozen = credentials().get_credentials()
        return {
            "access_key": frozen.access_key,
            "secret_key": frozen.secret_key,
            "token": "",
            "expiry_time": "2100-01-01T00:00:00Z",
        }

    target = at(aws, refreshed_by(refresh))
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        target.prepare(hold, soon(0.3))
    come.set()
    until(fetched.is_set, seconds=5)
    time.sleep(0.2)
    assert cloud.calls == []

    target.prepare(hold, soon())


@pytest.mark.parametrize(("status", "failure"), [(403, PermanentFailure), (503, TemporaryFailure)])
def test_a_role_that_cannot_be_assumed_is_said(
    aws: ServedCloud, cloud: Cloud, hold: Hold, status: int, failure: type[Exception]
) -> None:
    def refresh() -> dict[str, str]:
        answer = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "AssumeRole")

    with pytest.raises(failure, match="no credentials: AssumeRole answered AccessDenied"):
        at(aws, refreshed_by(refresh)).prepare(hold, soon(1))


def test_credentials_come_from_awss_own_environment(
    aws: ServedCloud, cloud: Cloud, hold: Hold, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    def from_environment() -> IdentityCenter:
        return IdentityCenter("orders-db", cloud.instance, REGION, aws.url)

    with pytest.raises(PermanentFailure, match=r"no usable AWS credentials .*: set AWS_ACCESS_KEY_ID"):
        from_environment().prepare(hold, soon())
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(PermanentFailure, match="ProfileNotFound"):
        from_environment().prepare(hold, soon())
    monkeypatch.delenv("AWS_PROFILE")

    frozen = credentials().get_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", frozen.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", frozen.secret_key)
    assert from_environment().prepare(hold, soon()).facts["user"] == cloud.user_id("ada")


# ------------------------------------------------------------------------------------ another system


def test_another_organization_is_another_system(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    receipt = granted(stage, hold)
    cloud.owner = "999999999999"

    look = stage.target.has(hold, [receipt], soon())
    stage.target.revoke(hold, [receipt], soon())

    assert (look.presence, look.receipts, look.gone) == (Presence.ELSEWHERE, (receipt,), False)
    assert "rotakey target accept orders-db" in (look.why or "")
    assert stage.has_it("ada")
    with pytest.raises(PermanentFailure, match="rotakey target accept orders-db"):
        stage.target.grant(hold_of(stage, "bob"), [receipt], UNTIL, soon())
    cloud.owner = OWNER
    assert presence(stage, hold, receipt) is Presence.OURS


def test_credentials_that_reach_another_instance_prove_nothing(
    aws: ServedCloud, cloud: Cloud, hold: Hold
) -> None:
    elsewhere = IdentityCenter(
        "orders-db", "arn:aws:sso:::instance/ssoins-0000000000000000", REGION, aws.url, session=aws.session
    )
    receipt = Receipt(system="x", facts={})
    for call in (
        lambda: elsewhere.has(hold, [receipt], soon()),
        lambda: elsewhere.revoke(hold, [receipt], soon()),
        lambda: elsewhere.prepare(hold, soon()),
    ):
        with pytest.raises(PermanentFailure, match=f"do not reach .*0000, but they reach {cloud.instance}"):
            call()


def test_a_receipt_of_another_kind_is_refused(stage: AwsStage, hold: Hold) -> None:
    receipt = replace(prepared(stage, hold), facts={"role": "1"})
    with pytest.raises(PermanentFailure, match="is not one of IAM Identity Center"):
        stage.target.has(hold, [receipt], soon())


# --------------------------------------------------------------------- what is replaced, and whose it is


def test_a_user_who_was_deleted_and_made_again_keeps_what_others_gave_and_loses_ours(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    receipt = granted(stage, hold)
    cloud.delete_user("ada")
    again = cloud.add_user("ada")
    cloud.assign(again, cloud.arn(SET))
    assert presence(stage, hold, receipt) is Presence.OURS

    stage.target.revoke(hold, [receipt], soon())

    assert cloud.assigned() == [(again, SET)]
    look = stage.target.has(hold, [receipt], soon())
    assert (look.presence, look.gone) == (Presence.THEIRS, True)


def test_what_was_assigned_before_stays(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    stage.granted_by_an_administrator("ada")
    stage.target.revoke(hold, [], soon())
    assert stage.has_it("ada")


def test_what_another_bot_assigned_is_not_ours(
    aws: ServedCloud, stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    other = at(aws)
    other.grant(hold, [other.prepare(hold, soon())], UNTIL, soon())
    assert presence(stage, hold) is Presence.THEIRS
    [holder] = stage.target.holders(stage.entitlement(), soon()).holders
    assert (holder.account, holder.presence) == ("ada", Presence.UNKNOWN)


def test_a_permission_set_that_was_made_again_is_found_by_its_name(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    before = prepared(stage, hold)
    cloud.delete_permission_set(SET)
    with pytest.raises(PermanentFailure, match=f"has no permission set {SET}: create it"):
        prepared(stage, hold)
    cloud.add_permission_set(SET)

    after = prepared(stage, hold)
    assert after.facts["permission_set"] == cloud.arn(SET) != before.facts["permission_set"]
    assert stage.target.has(hold, [before], soon()).gone
    described = cloud.calls.count("DescribePermissionSet")
    prepared(stage, hold)
    assert cloud.calls.count("DescribePermissionSet") == described + 1


def test_permission_sets_that_are_known_are_not_described_to_find_another(
    stage: AwsStage, cloud: Cloud
) -> None:
    missing = stage.entitlement(missing=True)
    for _ in range(3):
        assert stage.target.holders(missing, soon()).holders == ()
    assert cloud.calls.count("DescribePermissionSet") == len(["ReadOnly", SET])


def test_nothing_is_assigned_in_what_no_longer_exists(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    receipt = granted(stage, hold)
    cloud.next_answers("ListAccountAssignments", "ResourceNotFoundException")
    assert stage.target.has(hold, [receipt], soon()).receipts == ()


def test_what_vanishes_while_it_is_removed_is_gone(stage: AwsStage, cloud: Cloud, hold: Hold) -> None:
    receipt = granted(stage, hold)
    cloud.next_answers(DELETE, "ResourceNotFoundException")
    stage.target.revoke(hold, [receipt], soon())


def test_names_of_permission_sets_are_learned_once_also_in_several_tries(
    stage: AwsStage, cloud: Cloud, hold: Hold
) -> None:
    for number in range(5):
        cloud.add_permission_set(f"Other{number}")
    last = Hold(
        target="orders-db",
        account="ada",
        entitlement=Entitlement(
            target="orders-db", what=(("account", ACCOUNT), ("permission_set", "Other4"))
        ),
    )
    cloud.next_answers("DescribePermissionSet", "ThrottlingException", retry_after=30)
    with pytest.raises(TemporaryFailure):
        stage.target.prepare(last, soon())
    stage.target.prepare(last, soon())
    described = cloud.calls.count("DescribePermissionSet")
    stage.target.prepare(last, soon())
    stage.target.prepare(last, soon())
    assert cloud.calls.count("DescribePermissionSet") == described + 2
    assert cloud.calls.count("ListPermissionSets") == 2


def test_all_pages_are_read(stage: AwsStage, cloud: Cloud) -> None:
    cloud.faults.page = 1
    for name in ("bob", "carol", "ada"):
        stage.granted_by_an_administrator(name)
    cloud.add_permission_set("Last")
    last = Entitlement(target="orders-db", what=(("account", ACCOUNT), ("permission_set", "Last")))

    assert presence(stage, hold_of(stage, "ada")) is Presence.THEIRS
    found = stage.target.holders(stage.entitlement(), soon()).holders
    assert [each.account for each in found] == ["bob", "carol", "ada"]
    assert stage.target.holders(last, soon()).holders == ()


def test_groups_do_not_count_and_deleted_users_are_listed_by_their_id(stage: AwsStage, cloud: Cloud) -> None:
    cloud.assign(cloud.user_id("bob"), cloud.arn(SET), kind="GROUP")
    stage.granted_by_an_administrator("carol")
    carol = cloud.user_id("carol")
    cloud.delete_user("carol")

    found = stage.target.holders(stage.entitlement(), soon()).holders
    assert [each.account for each in found] == [carol]
    assert presence(stage, hold_of(stage, "bob")) is Presence.NONE


def test_a_user_is_found_by_user_name_alone(stage: AwsStage, cloud: Cloud) -> None:
    """An email address can be changed to another person's."""
    with pytest.raises(PermanentFailure, match=r"no user ada@mail\.example\.com: create it in IAM"):
        stage.target.prepare(hold_of(stage, "ada@mail.example.com"), soon())


# ------------------------------------------------------------------------------------------ sessions


def test_a_permission_set_whose_sessions_outlast_what_the_card_says_is_not_granted(
    aws: ServedCloud, stage: AwsStage, cloud: Cloud
) -> None:
    cloud.add_permission_set("Long", "PT8H30M")
    long = Entitlement(target="orders-db", what=(("account", ACCOUNT), ("permission_set", "Long")))
    hold = Hold(target="orders-db", account="ada", entitlement=long)
    target = at(aws, longest_session=3_600)
    said = (
        "sessions of the permission set Long last 8h30m, but session_duration in access.yaml says 1h:"
        " correct one of them"
    )
    for call in (target.prepare, target.ready):
        with pytest.raises(PermanentFailure, match=f"orders-db: {said}"):
            call(hold, soon())
    assert target.warnings([long, stage.entitlement(), long], [], soon()) == (said,)

    for enough in (0, 30_600):
        at(aws, longest_session=enough).prepare(hold, soon())
        assert at(aws, longest_session=enough).warnings([long], [], soon()) == ()
    at(aws, longest_session=3_600).prepare(hold_of(stage, "ada"), soon())
