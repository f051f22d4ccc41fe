"""AWS on a port of 127.0.0.1: moto, and in front of it what moto leaves out.

moto does everything at once, accepts every credential and policy, and has no lists of requests. Here requests
are worked on for as long as a test wants, conflict with each other and can fail, credentials and policies
count, and an assignment is there once.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any
from uuid import uuid4

import boto3.session
from moto.identitystore.models import identitystore_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.ssoadmin.models import ssoadmin_backends
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

Json = dict[str, Any]
REGION, OWNER, ACCOUNT = "eu-west-1", "123456789012", "210987654321"
KEY, SECRET = "AKIAROTAKEY000000000", "open-sesame/open-sesame/open-sesame/0000"
VERBS = {"Create": "Creation", "Delete": "Deletion"}
NOT_OF_INSTANCE = frozenset({"ListInstances", "GetUserId", "DescribeUser"})


@dataclass(kw_only=True)
class Faults:
    """The faults of AWS. Set a field and it holds from the next call on."""

    slow: float = 0.0
    """Seconds each call takes before it is answered."""
    errors: dict[str, list[tuple[int, Json, Mapping[str, str]]]] = field(default_factory=dict)
    """The next answers to an operation: status, body and headers."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """What an operation always answers, with status 200."""
    loses: frozenset[str] = frozenset()
    """Operations that are done and whose answer is lost."""
    polls: int | None = 0
    """How often a request is answered with IN_PROGRESS; None: until it is finished by ``finish``."""
    reason: str | None = None
    """Requests fail for this reason."""
    unknown: int = 0
    """How often the status of a request is not known yet."""
    page: int = 100
    """The most on a page."""


@dataclass(kw_only=True)
class Work:
    verb: str
    body: Json
    left: int | None
    reason: str | None
    status: str = "IN_PROGRESS"
    id: str = field(default_factory=lambda: str(uuid4()))

    def shown(self) -> Json:
        names = ("TargetId", "TargetType", "PermissionSetArn", "PrincipalType", "PrincipalId")
        shown = {"Status": self.status, "RequestId": self.id} | {each: self.body[each] for each in names}
        return shown | ({"FailureReason": self.reason} if self.status == "FAILED" else {})


class Cloud:
    """The memory of AWS, until it is renewed. ``calls`` are the operations that were asked for."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.RLock()
        self.renew()

    def renew(self) -> None:
        for backends in (ssoadmin_backends, identitystore_backends):
            backends[OWNER][REGION].reset()
        self.faults = Faults()
        self.hurry = threading.Event()
        self.calls: list[str] = []
        self.policy: Json | None = None
        self.owner = OWNER
        self._works: list[Work] = []
        [self._instance] = self._sso.instances

    @property
    def _sso(self) -> Any:
        return ssoadmin_backends[OWNER][REGION]

    @property
    def instance(self) -> str:
        return str(self._instance.instance_arn)

    # ------------------------------------------------------------------------------- as an administrator

    def add_user(self, name: str) -> str:
        backend = identitystore_backends[OWNER][REGION]
        names = {"GivenName": name, "FamilyName": name}
        nothing: list[Any] = []
        emails = [{"Value": f"{name}@mail.example.com", "Primary": True}]
        user, _ = backend.create_user(
            self._instance.identity_store_id, name, names, name, "", "", emails, nothing, nothing, "", "", "",
            "", "",
        )  # fmt: skip
        return str(user)

    def rename_user(self, name: str, new: str) -> None:
        users = self._users()
        users[self.user_id(name)] = users[self.user_id(name)]._replace(UserName=new)

    def delete_user(self, name: str) -> None:
        """AWS leaves the assignments of a user that was deleted."""
        del self._users()[self.user_id(name)]

    def user_id(self, name: str) -> str:
        [found] = [each for each, user in self._users().items() if user.UserName == name]
        return str(found)

    def add_permission_set(self, name: str, session: str = "PT1H") -> str:
        made = self._sso.create_permission_set(name, "", self.instance, session, "", [])
        [found] = [
            each for each in self._sso.permission_sets if each.permission_set_arn == made["PermissionSetArn"]
        ]
        instance_id = self.instance.rpartition("/")[2]
        found.permission_set_arn = f"arn:aws:sso:::permissionSet/{instance_id}/ps-{uuid4().hex[:16]}"
        return str(found.permission_set_arn)

    def arn(self, name: str) -> str:
        """Return the ARN of a permission set."""
        return str(self._permission_set(name).permission_set_arn)

    def rename_permission_set(self, name: str, new: str) -> None:
        """AWS cannot do this; the contract suite wants it."""
        self._permission_set(name).name = new

    def delete_permission_set(self, name: str) -> None:
        self._sso.permission_sets.remove(self._permission_set(name))

    def assign(self, user_id: str, permission_set: str, kind: str = "USER") -> None:
        place = (self.instance, ACCOUNT, "AWS_ACCOUNT", permission_set, kind, user_id)
        self._sso.create_account_assignment(*place)

    def assigned(self) -> list[tuple[str, str]]:
        """Return the ids of the principals that have something, each with the name of what it has."""
        names = {each.permission_set_arn: each.name for each in self._sso.permission_sets}
        return [
            (each.principal_id, names.get(each.permission_set_arn, "deleted"))
            for each in self._sso.account_assignments
        ]

    def finish(self) -> None:
        """Finish all that is being worked on."""
        with self._lock:
            for each in self._works:
                if each.status == "IN_PROGRESS":
                    self._end(each)

    def begin(self, verb: str, user_id: str, permission_set: str, reason: str | None = None) -> None:
        """Begin to work on somebody else's request, until it is finished."""
        place = {"InstanceArn": self.instance, "TargetId": ACCOUNT, "TargetType": "AWS_ACCOUNT"}
        place |= {"PermissionSetArn": permission_set, "PrincipalType": "USER", "PrincipalId": user_id}
        self._works.append(Work(verb=verb, body=place, left=None, reason=reason))

    def next_answers(
        self, operation: str, code: str, times: int = 1, status: int = 400, **more: object
    ) -> None:
        headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
        body = {"__type": f"com.amazonaws#{code}", "Message": f"{code} it is", **more}
        self.faults.errors.setdefault(operation, []).extend([(status, body, headers)] * times)

    def _users(self) -> dict[str, Any]:
        store = identitystore_backends[OWNER][REGION].identity_stores
        users: dict[str, Any] = store[self._instance.identity_store_id].users
        return users

    def _permission_set(self, name: str) -> Any:
        [found] = [each for each in self._sso.permission_sets if each.name == name]
        return found

    # ------------------------------------------------------------------------------------------- serving

    def answer(self, request: Request) -> Response:
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        body: Json = json.loads(request.get_data())
        with self._lock:
            self.calls.append(operation)
        if self.faults.slow:
            self.hurry.wait(self.faults.slow)
        if f"Credential={KEY}/" not in request.headers["Authorization"]:
            return _refused("UnrecognizedClientException", f"The Canonical String was {SECRET}")
        if not self._may(operation, body):
            return _refused(
                "AccessDeniedException", f"User: arn:aws:iam::{OWNER}:user/rotakey is not allowed"
            )
        with self._lock:
            if errors := self.faults.errors.get(operation):
                status, said, headers = errors.pop(0)
                return Response(json.dumps(said), status, dict(headers))
            if operation in self.faults.bodies:
                return Response(self.faults.bodies[operation], 200)
            answered = self._do(operation, body, request)
        if operation in self.faults.loses:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return Response("", 502)
        return answered

    def _do(self, operation: str, body: Json, request: Request) -> Response:
        if operation.startswith("ListAccountAssignment") and operation.endswith("Status"):
            verb = operation.removeprefix("ListAccountAssignment").removesuffix("Status")
            wanted = body["Filter"]["Status"]
            found = [each for each in self._works if (each.verb, each.status) == (verb, wanted)]
            listed = [{"Status": each.status, "RequestId": each.id} for each in found]
            return Response(json.dumps({f"AccountAssignments{verb}Status": listed}))
        if operation.startswith("DescribeAccountAssignment"):
            return self._status(operation, body)
        if operation in ("CreateAccountAssignment", "DeleteAccountAssignment"):
            return self._ordered(VERBS[operation[:6]], body)
        if operation.startswith("List") and operation != "ListInstances":
            body["MaxResults"] = min(self.faults.page, body.get("MaxResults", 100))
        answered = self._by_moto(body, request)
        if operation == "ListInstances":
            return Response(answered.get_data().replace(OWNER.encode(), self.owner.encode()))
        return answered

    def _ordered(self, verb: str, body: Json) -> Response:
        place = (body["TargetId"], body["PermissionSetArn"])
        for each in self._works:
            if each.status == "IN_PROGRESS" and place == (
                each.body["TargetId"],
                each.body["PermissionSetArn"],
            ):
                return _refused("ConflictException", "conflict with a previous successful write")
        if verb == "Deletion" and not self._exists(body):
            return _refused("ResourceNotFoundException", "no such assignment")
        work = Work(verb=verb, body=body, left=self.faults.polls, reason=self.faults.reason)
        self._works.append(work)
        if work.left == 0:
            self._end(work)
        return Response(json.dumps({f"AccountAssignment{verb}Status": work.shown()}))

    def _status(self, operation: str, body: Json) -> Response:
        verb = operation.removeprefix("DescribeAccountAssignment").removesuffix("Status")
        asked = body[f"AccountAssignment{verb}RequestId"]
        found = [each for each in self._works if (each.id, each.verb) == (asked, verb)]
        if not found or self.faults.unknown:
            self.faults.unknown -= bool(self.faults.unknown)
            return _refused("ResourceNotFoundException", "no such request")
        [work] = found
        if work.status == "IN_PROGRESS" and work.left is not None:
            work.left -= 1
            if work.left <= 0:
                self._end(work)
        return Response(json.dumps({f"AccountAssignment{verb}Status": work.shown()}))

    def _end(self, work: Work) -> None:
        work.status = "FAILED" if work.reason else "SUCCEEDED"
        place = self._place(work.body)
        if work.status == "SUCCEEDED" and work.verb == "Creation" and not self._exists(work.body):
            self._sso.create_account_assignment(*place)
        if work.status == "SUCCEEDED" and work.verb == "Deletion" and self._exists(work.body):
            self._sso.delete_account_assignment(*place)

    def _place(self, body: Json) -> list[str]:
        names = ("InstanceArn", "TargetId", "TargetType", "PermissionSetArn", "PrincipalType", "PrincipalId")
        return [body[each] for each in names]

    def _exists(self, body: Json) -> bool:
        return any(
            self._place(body)
            == [
                each.instance_arn,
                each.target_id,
                each.target_type,
                each.permission_set_arn,
                each.principal_type,
                each.principal_id,
            ]
            for each in self._sso.account_assignments
        )

    def _by_moto(self, body: Json, request: Request) -> Response:
        sent = json.dumps(body).encode()
        environ = {**request.environ, "wsgi.input": BytesIO(sent), "CONTENT_LENGTH": str(len(sent))}
        return Response.from_app(self._moto, environ)

    def _may(self, operation: str, body: Json) -> bool:
        """Judge by the policy, and by the resources that AWS's Service Authorization Reference names."""
        if self.policy is None:
            return True
        action = f"{'identitystore' if operation.endswith(('UserId', 'User')) else 'sso'}:{operation}"
        needed = [] if operation in NOT_OF_INSTANCE else [body["InstanceArn"]]
        if "PermissionSetArn" in body:
            needed.append(body["PermissionSetArn"])
        if account := body.get("TargetId") or body.get("AccountId"):
            needed.append(f"arn:aws:sso:::account/{account}")
        return all(
            any(
                action in each["Action"]
                and any(fnmatchcase(resource, one) for one in _listed(each["Resource"]))
                for each in self.policy["Statement"]
            )
            for resource in needed or ["*"]
        )


def credentials(key: str = KEY) -> boto3.session.Session:
    return boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=SECRET, region_name=REGION)


@contextmanager
def serving(cloud: Cloud) -> Iterator[str]:
    server = make_server(
        "127.0.0.1", 0, Request.application(cloud.answer), threaded=True, request_handler=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    cloud.hurry.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _refused(code: str, message: str) -> Response:
    return Response(json.dumps({"__type": code, "Message": message}), 400)


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
