"""Each kind of target and source has to state which systems it reaches."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest

from bot.kinds.table import SOURCE_SETTINGS, TARGET_SETTINGS
from bot.settings import Kind, Secret, SourceSettings, TargetSettings
from bot.targets.postgres.settings import PostgresSettings

KINDS = [*TARGET_SETTINGS.values(), *SOURCE_SETTINGS.values()]


@pytest.mark.parametrize("base", [TargetSettings, SourceSettings, *KINDS])
def test_a_kind_that_does_not_state_what_it_reaches_cannot_exist(base: type[Kind]) -> None:
    with pytest.raises(TypeError, match=r"^Silent must state which of its keys name the systems it reaches$"):
        type("Silent", (base,), {"__module__": __name__})


@pytest.mark.parametrize("base", [TargetSettings, SourceSettings])
def test_nor_one_that_reaches_by_a_key_it_does_not_have(base: type[Kind]) -> None:
    with pytest.raises(TypeError, match=r"^Wrong\.reaches names keys that do not exist: host, url$"):
        type("Wrong", (base,), {"__module__": __name__, "reaches": ("url", "kind", "host")})


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_may_name_a_system_is_stated(kind: type[Kind]) -> None:
    """Any key that is secret or an address may name a system."""
    named = {name for name in kind.model_fields if "url" in name or "host" in name}
    secret = {name for name, each in kind.model_fields.items() if "SecretStr" in str(each.annotation)}
    assert named | secret <= set(kind.reaches)


def test_the_systems_of_a_kind_are_those_it_would_connect_to() -> None:
    class Several(TargetSettings):
        reaches: ClassVar[tuple[str, ...]] = ("url", "replicas")
        kind: Literal["several"]
        url: Secret
        replicas: list[Secret]
        note: str

    given: dict[str, Any] = {"kind": "several", "url": "u", "replicas": ["a", "b"], "note": "n"}
    assert Several(**given).systems() == (("url", "u"), ("replicas", "a"), ("replicas", "b"))
    postgres: dict[str, Any] = {"kind": "postgres", "url": "postgresql://db"}
    assert PostgresSettings(**postgres).systems() == (("url", "postgresql://db"),)
