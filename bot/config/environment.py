"""The environment, read once: each variable directly or from the file that NAME_FILE names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from bot.config.variables import NotGiven, Variables
from bot.core.errors import Misconfigured

SLACK_API = "https://slack.com/api/"

Need = tuple[str, ...]
"""Variables of which at least one has to be set."""

WEB: tuple[Need, ...] = (
    ("SLACK_BOT_TOKEN",),
    ("SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN"),
    ("REDIS_URL",),
)
WORKER: tuple[Need, ...] = (("SLACK_BOT_TOKEN",), ("REDIS_URL",))

WHERE: Mapping[Need, str] = {
    ("SLACK_BOT_TOKEN",): "copy the Bot User OAuth Token (xoxb-…) from the app's OAuth & Permissions page",
    ("SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN"): (
        "set the first, from the app's Basic Information page, to use HTTP, or the second, an app-level"
        " token (xapp-…), to use Socket Mode"
    ),
    ("REDIS_URL",): "set it, for example to redis://user:password@host:6379/0",
}

MOST_KEYS = 2
LEAST_KEY = 32
"""The fewest characters of each key in SECRET_KEY."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The variables of this process. Secrets that are not set are empty, which is false; ``worker_port`` and
    ``worker_threads`` are None. The page docs/environment.md is made of what follows."""

    slack_bot_token: SecretStr
    """The Bot User OAuth Token, from the Slack app's page, OAuth & Permissions. Example: ``xoxb-…``."""
    slack_signing_secret: SecretStr
    """The Signing Secret, from the Slack app's page, Basic Information. With it Slack is heard over HTTP,
    unless there is a SLACK_APP_TOKEN."""
    slack_app_token: SecretStr
    """An app-level token with the scope connections:write. With it Slack is heard in Socket Mode. Example:
    ``xapp-…``."""
    slack_api_url: str
    """The address of Slack's Web API; only tests need another one."""
    redis_url: SecretStr
    """The address of Redis, of its sentinels, or of nodes of a cluster. Example:
    ``redis://user:password@db.example.com:6379/0``."""
    redis_copies: int
    """The number of replicas, up to 9, that must have confirmed what leads to access. Example: ``1``."""
    redis_unsafe: bool
    """If it is set, and not to 0, a process starts even on a Redis that may evict keys or keeps nothing on
    disk, and says so each time. Example: ``1``."""
    access_file: Path
    """The path of the policy. Example: ``/etc/rotakey/access.yaml``."""
    port: int
    """The port of the web process: Slack's requests, health and metrics. Example: ``8080``."""
    worker_port: int | None
    """The port of a worker: health and metrics. Without it a worker serves neither. Example: ``9100``."""
    worker_threads: int | None
    """The number of threads of a worker. Without it 16, or one for each target and source and eight more if
    that is more. Example: ``24``."""
    audit_key: SecretStr
    """The private key that signs seals of the audit: Ed25519 in PEM. Line breaks may be written as \\n.
    Example: ``-----BEGIN PRIVATE KEY-----…``."""
    secret_key: SecretStr
    """The key that authenticates the policy text in Redis: at least 32 characters, or two keys with a space
    between them while it is rotated. Make one with openssl rand -hex 32. Example: ``6f1c…``."""

    command_dir: str
    """The folder of the programs that targets of the kind command run. Example: ``/opt/rotakey/commands``."""

    @classmethod
    def read(cls, environ: Mapping[str, str], *, needs: Collection[Need] = ()) -> Environment:
        """Read the variables. ``needs`` are those the command cannot do without: WEB, WORKER, or nothing.

        Raise Misconfigured with all that is wrong, a line for each.
        """
        reader = _Reader(environ)
        found = cls(
            slack_bot_token=reader.secret("SLACK_BOT_TOKEN", _bot_token),
            slack_signing_secret=reader.secret("SLACK_SIGNING_SECRET", _one_word),
            slack_app_token=reader.secret("SLACK_APP_TOKEN", _app_token),
            slack_api_url=reader.plain("SLACK_API_URL", _api_url) or SLACK_API,
            redis_url=reader.secret("REDIS_URL", _redis_url),
            redis_copies=reader.plain("REDIS_COPIES", _copies) or 0,
            redis_unsafe=reader.plain("REDIS_UNSAFE", lambda text: text != "0") or False,
            access_file=Path(reader.plain("ACCESS_FILE", str) or "access.yaml"),
            port=3000 if (port := reader.plain("PORT", _port)) is None else port,
            worker_port=reader.plain("WORKER_PORT", _port),
            worker_threads=reader.plain("WORKER_THREADS", _threads),
            audit_key=reader.secret("AUDIT_KEY", _pem),
            secret_key=reader.secret("SECRET_KEY", _keys),
            command_dir=reader.plain("COMMAND_DIR", _folder) or "",
        )
        reader.demand(needs)
        reader.finish()
        return found

    @property
    def socket_mode(self) -> bool:
        """Return whether Slack is heard over a socket that we open, not over HTTP."""
        return bool(self.slack_app_token)

    @property
    def secret_keys(self) -> tuple[bytes, ...]:
        """Return the keys of SECRET_KEY: none, one, or two while it is being rotated."""
        return tuple(each.encode() for each in _split(self.secret_key.get_secret_value()))


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._variables = Variables(environ)
        self._wrong: dict[str, str] = {}
        self._set: set[str] = set()

    def secret(self, name: str, judged: Callable[[str], str]) -> SecretStr:
        """Read a secret. One that is set and empty is a mistake, because that is never meant."""
        text = self._value(name)
        if text == "":
            self._object(name, "is set but empty; give it a value, or unset it")
        return SecretStr((self._parse(name, text, judged) if text else None) or "")

    def plain(self, name: str, judged: Callable[[str], T]) -> T | None:
        text = self._value(name)
        return self._parse(name, text, judged) if text else None

    def demand(self, needs: Iterable[Need]) -> None:
        for need in needs:
            if not any(name in self._set or name in self._wrong for name in need):
                names, verb = " or ".join(need), "is not set" if len(need) == 1 else "neither is set"
                self._wrong[names] = f"{names}: {verb}; {WHERE.get(need, 'set it')}"

    def finish(self) -> None:
        if self._wrong:
            raise Misconfigured("\n".join(self._wrong.values()))

    def _object(self, name: str, text: str) -> None:
        self._wrong[name] = f"{name}: {text}"

    def _value(self, name: str) -> str | None:
        try:
            text = self._variables.find(name)
        except NotGiven as why:
            self._object(name, str(why))
            return None
        if text:
            self._set.add(name)
        return text

    def _parse(self, name: str, text: str, judged: Callable[[str], T]) -> T | None:
        try:
            return judged(text)
        except _Unfit as unfit:
            self._object(name, str(unfit))
            return None


class _Unfit(Exception):
    """A fault of a value, described without the value, and what to do."""


def _one_word(text: str) -> str:
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise _Unfit("contains spaces or unusual characters; copy it again, on one line")
    return text


def _bot_token(text: str) -> str:
    if text.startswith(("xapp-", "xoxp-")):
        raise _Unfit("is the wrong kind of token; use the Bot User OAuth Token, which starts with xoxb-")
    return _one_word(text)


def _app_token(text: str) -> str:
    if text.startswith(("xoxb-", "xoxp-")):
        raise _Unfit("is the wrong kind of token; use an app-level token, which starts with xapp-")
    return _one_word(text)


def _pem(text: str) -> str:
    r"""Read a private key. Some platforms keep a variable on one line and write its line breaks as ``\n``."""
    text = text.replace("\\n", "\n")
    if not text.startswith("-----BEGIN PRIVATE KEY-----"):
        raise _Unfit("is not a private key in PEM; make one with openssl genpkey -algorithm ed25519")
    return text


def _keys(text: str) -> str:
    keys = _split(text)
    if not 1 <= len(keys) <= MOST_KEYS:
        raise _Unfit("must hold one key, or two separated by a space during a rotation")
    if any(len(each) < LEAST_KEY or not (each.isascii() and each.isprintable()) for each in keys):
        raise _Unfit(
            f"has a key of fewer than {LEAST_KEY} plain characters; make one with openssl rand -hex 32"
        )
    return text


def _split(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _api_url(text: str) -> str:
    if not re.fullmatch(r"https?://[\x21-\x7e]+", text):
        raise _Unfit("is not a valid URL; write one that starts with https://")
    return text.rstrip("/") + "/"


def _folder(text: str) -> str:
    if not Path(text).is_absolute():
        raise _Unfit("is not an absolute path; write one that starts with /")
    return text


def _redis_url(text: str) -> str:
    if not re.match(r"(rediss?(\+sentinel|\+cluster)?|unix)://.", text):
        raise _Unfit(
            "is not a valid Redis URL; start it with redis://, rediss:// (TLS), redis+sentinel://,"
            " redis+cluster:// or unix:// (a socket)"
        )
    return text


def _number(pattern: str, otherwise: str) -> Callable[[str], int]:
    """Return a function that reads a number that matches the pattern."""

    def read(text: str) -> int:
        if not re.fullmatch(pattern, text):
            raise _Unfit(otherwise)
        return int(text)

    return read


_copies = _number(
    r"[0-9]", "is not a valid number of replicas; write 0, or how many must confirm each write, usually 1"
)
_threads = _number(
    r"[1-9][0-9]{0,2}", "is not a valid number of threads; write one such as 24, or leave it unset"
)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65_535:
        raise _Unfit("is not a valid port; write a number up to 65535")
    return int(text)
