"""The entitlement at an endpoint or a program, as access.yaml has it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import ConfigDict, model_validator

from bot.settings import Form, Given, wrong

NAME = r"[a-z][a-z0-9_]{0,39}"

Words = Annotated[
    str, Form(r"[^\r\n\x00]{1,300}", "is not a valid text; write 1 to 300 characters on one line")
]


class EndpointGiven(Given):
    """Names and texts of your own choice; they are sent as they are. At least one."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"minProperties": 2, "propertyNames": {"pattern": f"^{NAME}$"}}
    )
    __pydantic_extra__: dict[str, Words]

    @model_validator(mode="after")
    def _names(self) -> EndpointGiven:
        names = tuple(self.__pydantic_extra__)
        if not names:
            raise wrong("says nothing about what is granted; add keys that your endpoint understands")
        for name in names:
            if not re.fullmatch(NAME, name):
                raise wrong("has a key that is not small letters, digits and _; rename it")
        return self
