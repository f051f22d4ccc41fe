"""The elements of Block Kit: their required fields, and the places where they may be."""

from collections.abc import Iterator
from typing import Any

from bot.doubles.slack.checks import (
    Check,
    anything,
    by_type,
    flag,
    list_of,
    matching,
    one_of,
    shape,
    string,
    whole,
    wrong,
)


def text(most: int, *kinds: str) -> Check:
    """Check for a text object, of any kind unless kinds are named."""
    plain = shape({"type": anything, "text": string(most)}, {"emoji": flag})
    mrkdwn = shape({"type": anything, "text": string(most)}, {"verbatim": flag})
    every = {"plain_text": plain, "mrkdwn": mrkdwn}
    return by_type({kind: every[kind] for kind in kinds or every})


def plain_text(most: int) -> Check:
    return text(most, "plain_text")


CONFIRM = shape(
    {
        "title": plain_text(100),
        "text": text(300),
        "confirm": plain_text(30),
        "deny": plain_text(30),
    },
    {"style": one_of("primary", "danger")},
)

# Slack's documents name two limits for an option's value, 75 and 150; this is the smaller one.
_OPTION = shape(
    {"text": plain_text(75), "value": string(75)},
    {"description": plain_text(75)},
)
_LINKED_OPTION = shape(
    {"text": plain_text(75), "value": string(75)},
    {"description": plain_text(75), "url": string(3000)},
)
_MARKED_OPTION = shape({"text": text(75), "value": string(75)}, {"description": text(75)})
_OPTION_GROUP = shape({"label": plain_text(75), "options": list_of(_OPTION, 100)}, {})

_ANY = {"type": anything, "action_id": string(255), "confirm": CONFIRM, "focus_on_load": flag}
_CHOICE = {**_ANY, "placeholder": plain_text(150)}
_TYPED = {
    "type": anything,
    "action_id": string(255),
    "placeholder": plain_text(150),
    "focus_on_load": flag,
    "dispatch_action_config": anything,
}
_STATIC = {**_CHOICE, "options": list_of(_OPTION, 100), "option_groups": list_of(_OPTION_GROUP, 100)}
_MANY = {"max_selected_items": whole(1, 100)}
_CONVERSATIONS = {
    "default_to_current_conversation": flag,
    "filter": anything,
}
_ID = string(255)

ELEMENTS: dict[str, Check] = {
    "button": shape(
        {"type": anything, "text": plain_text(75)},
        {
            "action_id": string(255),
            "url": string(3000),
            "value": string(2000, least=0),
            "style": one_of("primary", "danger"),
            "confirm": CONFIRM,
            "accessibility_label": string(75),
        },
    ),
    "image": shape(
        {"type": anything, "alt_text": string(2000)},
        {"image_url": string(3000), "slack_file": anything},
    ),
    "static_select": shape({}, {**_STATIC, "initial_option": _OPTION}),
    "multi_static_select": shape({}, {**_STATIC, **_MANY, "initial_options": list_of(_OPTION, 100)}),
    "external_select": shape({}, {**_CHOICE, "min_query_length": whole(0, 100), "initial_option": _OPTION}),
    "multi_external_select": shape(
        {},
        {
            **_CHOICE,
            **_MANY,
            "min_query_length": whole(0, 100),
            "initial_options": list_of(_OPTION, 100),
        },
    ),
    "users_select": shape({}, {**_CHOICE, "initial_user": _ID}),
    "multi_users_select": shape({}, {**_CHOICE, **_MANY, "initial_users": list_of(_ID, 100)}),
    "conversations_select": shape(
        {},
        {**_CHOICE, **_CONVERSATIONS, "initial_conversation": _ID, "response_url_enabled": flag},
    ),
    "multi_conversations_select": shape(
        {}, {**_CHOICE, **_CONVERSATIONS, **_MANY, "initial_conversations": list_of(_ID, 100)}
    ),
    "channels_select": shape({}, {**_CHOICE, "initial_channel": _ID, "response_url_enabled": flag}),
    "multi_channels_select": shape({}, {**_CHOICE, **_MANY, "initial_channels": list_of(_ID, 100)}),
    "overflow": shape({"options": list_of(_LINKED_OPTION, 5)}, _ANY),
    "radio_buttons": shape(
        {"options": list_of(_MARKED_OPTION, 10)}, {**_ANY, "initial_option": _MARKED_OPTION}
    ),
    "checkboxes": shape(
        {"options": list_of(_MARKED_OPTION, 10)},
        {**_ANY, "initial_options": list_of(_MARKED_OPTION, 10)},
    ),
    "datepicker": shape({}, {**_CHOICE, "initial_date": matching(r"\d{4}-\d\d-\d\d")}),
    "timepicker": shape({}, {**_CHOICE, "initial_time": matching(r"[0-2]\d:[0-5]\d"), "timezone": _ID}),
    "datetimepicker": shape({}, {**_ANY, "initial_date_time": whole(10**9, 10**10 - 1)}),
    "plain_text_input": shape(
        {},
        {
            **_TYPED,
            "multiline": flag,
            "initial_value": string(3000, least=0),
            "min_length": whole(0, 3000),
            "max_length": whole(1, 3000),
        },
    ),
    "email_text_input": shape({}, {**_TYPED, "initial_value": string(3000, least=0)}),
    "url_text_input": shape({}, {**_TYPED, "initial_value": string(3000, least=0)}),
    "number_input": shape(
        {"is_decimal_allowed": flag},
        {
            **_TYPED,
            "initial_value": string(150),
            "min_value": string(150),
            "max_value": string(150),
        },
    ),
}

SELECTS = frozenset(kind for kind in ELEMENTS if kind.endswith("_select"))
_PICKED = SELECTS | {"overflow", "radio_buttons", "checkboxes", "datepicker", "timepicker"}
IN_ACTIONS = _PICKED | {"button", "datetimepicker"}
IN_SECTION = _PICKED | {"button", "image"}
IN_INPUT = (_PICKED - {"overflow"}) | {
    "datetimepicker",
    "plain_text_input",
    "email_text_input",
    "url_text_input",
    "number_input",
}


def element(allowed: frozenset[str]) -> Check:
    known = by_type({kind: ELEMENTS[kind] for kind in allowed})

    def check(value: Any, at: str) -> Iterator[str]:
        errors = list(known(value, at))
        yield from errors
        if errors:
            return
        if value["type"] in {"static_select", "multi_static_select"}:
            yield from exactly_one(value, ("options", "option_groups"), at)
        if value["type"] == "image":
            yield from exactly_one(value, ("image_url", "slack_file"), at)
        if "initial_option" in value and value["initial_option"] not in _options(value):
            yield wrong("initial_option must be one of the options", f"{at}/initial_option")

    return check


def exactly_one(value: dict[str, Any], names: tuple[str, str], at: str) -> Iterator[str]:
    if sum(name in value for name in names) != 1:
        yield wrong(f"must define either `{names[0]}` or `{names[1]}`, and not both", at)


def _options(value: dict[str, Any]) -> list[Any]:
    if value["type"] == "external_select":
        return [value["initial_option"]]
    groups = value.get("option_groups") or [{"options": value.get("options")}]
    return [option for each in groups if isinstance(each, dict) for option in each.get("options") or ()]
