"""Calls to AWS: signed and read by boto3, sent by our own HTTP client, its errors turned into ours.

boto3 bounds neither a whole call nor the time to fetch credentials. So each call runs ``within`` its
deadline, and ``bot.http`` looks at the deadline again when the connection is open, right before it sends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import boto3.session
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    InvalidConfigError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    UnknownCredentialError,
)

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.http import HttpRequest, send
from bot.ports.deadline import Deadline
from bot.upstream import from_status, short_retries, wait_asked_for, within

Json = Mapping[str, Any]

IN_THE_IDENTITY_STORE = frozenset({"DescribeUser", "GetUserId"})
"""The operations of the identity store; all others are those of IAM Identity Center itself."""

MOST_WORDS = 300

_THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "SlowDown"}
)
_NOT_ALLOWED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_UNKNOWN_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Their messages may quote the request that was signed, with a session token in it, so they are not shown."""
_UNUSABLE_SETTINGS = (
    ConfigNotFound,
    ConfigParseError,
    InvalidConfigError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    UnknownCredentialError,
)

_now_calling: ContextVar[tuple[str, Deadline]] = ContextVar("_now_calling")


class NotThere(PermanentFailure):
    """Something that the call names does not exist."""


class NotNow(TemporaryFailure):
    """AWS has done nothing, because it is limiting calls, or because it is still working on something that
    conflicts with this one."""


class Calls:
    """The calls to one instance. ``session`` has other credentials than AWS's own environment."""

    def __init__(
        self, name: str, region: str, endpoint_url: str | None, session: boto3.session.Session | None = None
    ) -> None:
        self._name = name
        self._region = region
        self._endpoint_url = endpoint_url
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def read(self, operation: str, deadline: Deadline, **given: object) -> Json:
        """Call with short retries. Only for operations that change nothing."""
        return short_retries(lambda: self.once(operation, deadline, **given), deadline)

    def pages(self, operation: str, key: str, deadline: Deadline, **given: object) -> Iterator[Json]:
        """Yield what is under ``key`` on all pages of an answer."""
        token: str | None = None
        while True:
            more = {"NextToken": token} if token else {}
            answer = self.read(operation, deadline, **given, **more)
            yield from self.part(operation, answer, key)
            token = answer.get("NextToken")
            if not token:
                return

    def part(self, operation: str, answer: Json, key: str) -> Any:
        """Return a part of the answer. Raise TemporaryFailure if it is not there: a page of a proxy's reads
        like an answer that is empty."""
        if key not in answer:
            raise TemporaryFailure(f"{self._what(operation)}: the answer has no {key}")
        return answer[key]

    def once(self, operation: str, deadline: Deadline, **given: object) -> Json:
        """Call once. Raise NotNow or NotThere if AWS says so, TemporaryFailure if nobody knows what was done,
        otherwise PermanentFailure, which names the action to allow if one is missing."""
        what = self._what(operation)

        def call() -> Json:
            _now_calling.set((what, deadline))
            client = self._client("identitystore" if operation in IN_THE_IDENTITY_STORE else "sso-admin")
            answer: Json = getattr(client, xform_name(operation))(**given)
            return answer

        try:
            return within(deadline, what, call)
        except ClientError as error:
            raise self._refusal(error, operation) from error
        except _UNUSABLE_SETTINGS as error:
            raise PermanentFailure(
                f"{self._name}: the bot has no usable AWS credentials ({type(error).__name__}): set"
                " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the host a role"
            ) from error
        except ParamValidationError as error:
            raise PermanentFailure(f"{what}: something that it is asked with is not valid") from error
        except BotoCoreError as error:
            raise TemporaryFailure(f"{what}: {type(error).__name__}") from error

    def _what(self, operation: str) -> str:
        return f"{self._name}: {action_of(operation)}"

    def _client(self, service: str) -> Any:
        with self._lock:
            if self._session is None:
                self._session = boto3.session.Session()
            if service not in self._clients:
                client = self._session.client(
                    service,
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": 1}, user_agent_extra="rotakey"
                    ),
                )
                client.meta.events.register("before-send", _sent_by_us)
                self._clients[service] = client
            return self._clients[service]

    def _refusal(self, error: ClientError, operation: str) -> TemporaryFailure | PermanentFailure:
        what, answer = self._what(operation), error.response
        code, meta = str(answer["Error"].get("Code", "")), answer.get("ResponseMetadata", {})
        asked = wait_asked_for(
            {"in body": str(answer.get("RetryAfterSeconds", "")), **meta.get("HTTPHeaders", {})},
            "retry-after",
            "in body",
        )
        status = int(meta.get("HTTPStatusCode", 0))
        failure = from_status(status, what, retry_after=asked, setting="the bot's AWS credentials")
        if error.operation_name != operation:  # such as AssumeRole, to get the credentials
            return type(failure)(f"{what}: no credentials: {error.operation_name} answered {code}")
        if code in _THROTTLED:
            return NotNow(f"{what}: AWS is limiting calls", retry_after=asked)
        if code == "ConflictException":
            return NotNow(f"{what}: AWS is still working on another change of the same account")
        if isinstance(failure, TemporaryFailure) or not code or code.isdigit():
            return failure
        return self._objection(operation, code, answer)

    def _objection(self, operation: str, code: str, answer: Json) -> PermanentFailure:
        """Return what AWS objects to, and what to do about it."""
        what = self._what(operation)
        if code in _UNKNOWN_CREDENTIALS:
            return PermanentFailure(
                f"{what}: AWS does not accept the bot's credentials ({code}): renew them, and check the clock"
            )
        message = str(answer["Error"].get("Message") or answer.get("Message") or "")
        parts = (str(answer.get("Reason") or ""), " ".join(message.split())[:MOST_WORDS])
        said = ": ".join(each for each in parts if each) or code
        if code in _NOT_ALLOWED:
            return PermanentFailure(
                f"{self._name}: the bot may not {action_of(operation)}: allow it, as docs/aws.md says"
                f" ({said})"
            )
        if code == "ResourceNotFoundException":
            return NotThere(f"{what}: {said}")
        if code == "ServiceQuotaExceededException":
            return PermanentFailure(f"{what}: a quota is used up: raise it ({said})")
        return PermanentFailure(f"{what}: {code}: {said}")


def action_of(operation: str) -> str:
    """Return the IAM action that allows an operation."""
    return f"{'identitystore' if operation in IN_THE_IDENTITY_STORE else 'sso'}:{operation}"


class _Body:
    """The body of an answer, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


def _sent_by_us(request: AWSPreparedRequest, **_: object) -> AWSResponse:
    """Send a request that is signed, in place of botocore."""
    what, deadline = _now_calling.get()
    headers = {name: _text(value) for name, value in request.headers.items()}
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    ours = HttpRequest(method=request.method, url=request.url, headers=headers, body=body)
    answer = send(ours, what, deadline)
    return AWSResponse(request.url, answer.status, dict(answer.headers), _Body(answer.body))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
