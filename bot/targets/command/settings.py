"""The settings of a program as a target."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, model_validator

from bot.endpoint.settings import EndpointGiven
from bot.settings import FileContext, Form, Given, TargetSettings, wrong

PROGRAM = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"

Word = Annotated[str, Form(r"[^\r\n\x00]{1,300}", "is not a valid argument; write one line of text")]


def _program_first(run: tuple[str, ...]) -> tuple[str, ...]:
    if not re.fullmatch(PROGRAM, run[0]):
        raise wrong(
            "does not begin with the name of a program; write the name that it has in COMMAND_DIR, without a"
            " folder"
        )
    return run


class CommandSettings(TargetSettings):
    gives: ClassVar[type[Given]] = EndpointGiven
    reaches: ClassVar[tuple[str, ...]] = ()
    marks: ClassVar[bool] = False
    address: ClassVar[tuple[str, ...]] = ("run",)
    runs_programs: ClassVar[bool] = True
    kind: Literal["command"]
    run: Annotated[tuple[Word, ...], Field(min_length=1), AfterValidator(_program_first)]
    """The program's name, without a folder, and its arguments. It is looked for in COMMAND_DIR."""

    _folder: str = PrivateAttr("")

    @model_validator(mode="after")
    def _note_folder(self, info: ValidationInfo) -> CommandSettings:
        if isinstance(info.context, FileContext):
            self._folder = info.context.command_dir
        return self

    @property
    def folder(self) -> str:
        """Return COMMAND_DIR, which only the environment says: a policy cannot name another folder."""
        return self._folder

    @property
    def servers(self) -> frozenset[str]:
        return frozenset([" ".join(self.run)])

    @property
    def sessions_end(self) -> str:
        return "program"
