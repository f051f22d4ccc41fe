"""${NAME} is filled in from the environment: in texts, after parsing, and never shown."""

from __future__ import annotations

from pathlib import Path

from tests.config.files import read, resource_text, said

BOB = "approvers: [U02BOB]"


def title(text: str, environ: dict[str, str]) -> str:
    return (
        read(resource_text(BOB).replace("Orders database", text), environ).catalog.resources["prod-db"].title
    )


def test_a_variable_stands_for_a_text_or_a_part_of_it() -> None:
    assert title("${STAGE}", {"STAGE": "production"}) == "production"
    assert title("Orders, ${STAGE} in ${REGION}", {"STAGE": "live", "REGION": "eu"}) == "Orders, live in eu"


def test_two_dollars_are_one_and_one_is_itself() -> None:
    assert title("5 $ or $${STAGE} or $$$$", {}) == "5 $ or ${STAGE} or $$"


def test_what_is_filled_in_is_not_filled_in_again_and_is_no_yaml() -> None:
    environ = {"STAGE": "${OTHER}, [a, b]: #x", "OTHER": "no"}
    assert title("${STAGE}", environ) == environ["STAGE"]


def test_a_variable_may_stand_wherever_text_may() -> None:
    environ = {"MAX": "12h", "CHANNEL": "#db", "TARGET": "orders-db", "KIND": "pagerduty"}
    text = resource_text(BOB, "duration: {max: '${MAX}'}", "channel: ${CHANNEL}")
    text = text.replace("{target: orders-db", '{target: "${TARGET}"').replace(
        "kind: pagerduty", 'kind: "${KIND}"'
    )
    resource = read(text, environ).catalog.resources["prod-db"]
    assert resource.lengths.max == 12 * 3_600
    assert resource.channel == "#db"
    assert resource.gives[0].target == "orders-db"


def test_a_variable_that_is_not_set_is_one_mistake_where_it_is_used() -> None:
    told = "the variable CHANNEL is not set; give it a value in the environment"
    text = resource_text(BOB, "channel: ${CHANNEL}")
    assert said(text, {}) == [f"access.yaml:8: resources.prod-db.channel: {told}"]
    assert said(text, {"CHANNEL": ""}) == [
        f"access.yaml:8: resources.prod-db.channel: {told.replace('not set', 'empty')}"
    ]


def test_a_variable_without_a_good_name_is_a_mistake() -> None:
    for use in ("'${}'", "'${A B}'", "'${A'", "'${A:-x}'"):
        (only,) = said(resource_text(BOB, f"channel: {use}"), {"A": "#db"})
        assert only.endswith("has a ${ without the name of a variable; write ${NAME}, or $${ for a plain ${")


def test_what_a_variable_holds_is_not_told_when_it_does_not_fit() -> None:
    text = resource_text(
        BOB, "channel: ${CHANNEL}", "duration: {max: '${MAX}', offer: ['${MAX}', '${MORE}']}"
    )
    told = said(text, {"CHANNEL": "hunter two", "MAX": "12h", "MORE": "13h"})
    assert told == [
        'access.yaml:8: resources.prod-db.channel: "${CHANNEL}" is no channel;'
        " write #name in small letters, or its id, such as C02ABCDEF",
        'access.yaml:9: resources.prod-db.duration.offer[1]: "${MORE}" is longer than max;'
        " shorten it, or raise max",
    ]


def test_a_variable_may_be_kept_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("production\n")
    assert title("${STAGE}", {"STAGE_FILE": str(secret)}) == "production"
    (missing,) = said(resource_text(BOB, "channel: ${CHANNEL}"), {"CHANNEL_FILE": str(tmp_path / "none")})
    assert missing.endswith(
        "the variable CHANNEL cannot be read from the file that CHANNEL_FILE names:"
        " No such file or directory; check the path"
    )
