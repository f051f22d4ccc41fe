"""The forms of a word or a line in access.yaml, and the objections to anything else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo

from bot.config import patterns
from bot.config.mistakes import without_password
from bot.core.words import read_otherwise
from bot.settings import AccountName, FileContext, Form, unlike
from bot.slack.grammar.likeness import nearest

T = TypeVar("T")

MOST_NAMES = 20
"""The most names that are listed when one of them should have been written."""

Several = Annotated[tuple[T, ...], Field(min_length=1)]


def suggestion(name: str, names: Collection[str], otherwise: str = "remove it") -> str:
    """Say what to write instead of a name that is not known."""
    near = nearest(name, names)
    if near:
        return f"did you mean {' or '.join(map(without_password, near))}?"
    shown = sorted(names) if len(names) <= MOST_NAMES else []
    return f"{otherwise}, or write {one_of([*map(without_password, shown)])}" if shown else otherwise


def one_of(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def file_context(info: ValidationInfo) -> FileContext:
    return info.context if isinstance(info.context, FileContext) else FileContext()


def _known_target(name: str, info: ValidationInfo) -> str:
    kinds = file_context(info).kinds
    if name not in kinds:
        raise unlike(f"is not one of the targets; {suggestion(name, kinds, 'name it under targets')}")
    return name


def _known_source(schedule: str, info: ValidationInfo) -> str:
    source, sources = schedule.partition("/")[0], file_context(info).sources
    if source not in sources:
        raise unlike(
            f"does not begin with a known source; {suggestion(source, sources, 'name it under oncall')}"
        )
    return schedule


def _usable(pattern: str) -> str:
    objection = patterns.objection(pattern)
    if objection:
        raise unlike(objection)
    return pattern


def _no_word_of_the_command(name: str) -> str:
    if read_otherwise(name):
        raise unlike(f"would be misread by /access; choose another name, such as {name}-access")
    return name


NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
GROUP = r"slack/[^\s/#@A-Z]{1,80}"
PERSON = r"[UW][A-Z0-9]{1,30}"

Name = Annotated[
    str,
    Form(NAME, "is not a valid name; write 1 to 63 of a-z, 0-9, ., - and _, starting with a letter or digit"),
]
ResourceName = Annotated[Name, AfterValidator(_no_word_of_the_command)]
TargetName = Annotated[str, AfterValidator(_known_target)]
Workspace = Annotated[
    str, Form(r"[a-z0-9-]{1,63}", "is not a valid workspace name; write 1 to 63 of a-z, 0-9 and -")
]
PersonId = Annotated[
    str, Form(PERSON, "is not a valid Slack user id; copy it from the person's profile, such as U02ABCDEF")
]
Account = AccountName
Domain = Annotated[
    str,
    Form(
        r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
        "is not a valid domain; write the part after the @, such as example.com",
    ),
    AfterValidator(str.lower),
]
Channel = Annotated[
    str,
    Form(
        r"#[^\s#@A-Z.,:;/]{1,80}|[CG][A-Z0-9]{2,30}",
        "is not a valid channel; write #name in lower case, or its id, such as C02ABCDEF",
    ),
]
FilePath = Annotated[
    str,
    Form(
        r"/[^\r\n\x00]{0,1000}[^/\r\n\x00]",
        "is not a valid file path; write an absolute path, such as /var/lib/anchor",
    ),
]
FolderPath = Annotated[
    str,
    Form(
        r"/[^\r\n\x00]{0,1000}[^/\r\n\x00]",
        "is not a valid folder path; write an absolute path, such as /var/lib/rotakey/archive",
    ),
]
GroupName = Annotated[
    str,
    Form(GROUP, "is not a valid group; write slack/ and the group's handle in lower case, such as slack/dba"),
]
Schedule = Annotated[
    str,
    Form(
        r"[^/\s]+/[^/\s]{1,100}",
        "is not a valid schedule; write the source, a slash and the schedule's id there, such as"
        " pagerduty/PABC123",
    ),
    AfterValidator(_known_source),
]
Approver = Annotated[
    str,
    Form(
        f"{GROUP}|{PERSON}",
        "is not a valid approver; write a group such as slack/dba, a user id such as U02ABCDEF, or {on_call:"
        " …}",
    ),
]
Asker = Annotated[
    str,
    Form(
        f"everyone|{GROUP}|{PERSON}",
        "is not a valid requester; write everyone, a group such as slack/dba, a user id, or {on_call: …}",
    ),
]
Line = Annotated[
    str,
    Field(max_length=150),
    Form(r"[^\r\n]*\S[^\r\n]*", "is blank or spans several lines; write one line of text"),
]
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_usable)]
Share = Annotated[
    str, Form(r"100%|[1-9][0-9]?%", "is not a valid percentage; write a whole one, such as 25%")
]
Level = Annotated[int, Field(ge=1, le=99)]
