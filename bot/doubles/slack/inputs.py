"""Input that a person types or picks in the elements of a message or a view."""

from typing import Any

from bot.doubles.slack.model import ImpossibleError, Json
from bot.doubles.slack.shapes import touchable

Values = dict[str, dict[str, Json]]

REQUIRED = "Please complete this required field."

# The names under which an element's state has its value, and under which the element has its first one.
_STATE = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}


def initial(blocks: list[Json]) -> Values:
    """Return the state of every element that has one, before anybody touched it."""
    values: Values = {}
    for block in blocks:
        for element in touchable(block):
            if element["type"] in _STATE:
                state = _state(element, element.get(_STATE[element["type"]][1]))
                values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return values


def fill(blocks: list[Json], before: Values, given: dict[str, dict[str, Any]]) -> Values:
    """Fill in elements. `given` has a value for some of them: a string, an option's value, a list, or a
    state."""
    values = {block: dict(elements) for block, elements in before.items()}
    for block_id, by_action in given.items():
        for action_id, value in by_action.items():
            _, element = find(blocks, action_id, block_id, None)
            values.setdefault(block_id, {})[action_id] = state_of(element, value)
    return values


def state_of(element: Json, given: Any) -> Json:
    """Return the state of `element` after somebody gave it a value it can take."""
    if element["type"] not in _STATE:
        raise ImpossibleError(f"nothing can be filled into a {element['type']}")
    key = _STATE[element["type"]][0]
    value = given.get(key) if isinstance(given, dict) and key in given else given
    if value is None or value == "":
        return _state(element, None)
    if key == "selected_option":
        return _state(element, _option(element, value))
    if key == "selected_options":
        return _state(element, [_option(element, each) for each in value])
    return _state(element, value)


def action_of(block: Json, element: Json, value: Any) -> Json:
    """Return the action that pressing or choosing makes, as it is in a block_actions payload."""
    action: Json = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
    }
    if element["type"] == "button":
        kept = ("text", "value", "style", "url", "confirm")
        return action | {name: element[name] for name in kept if name in element}
    if element["type"] == "overflow":
        return action | {"selected_option": _option(element, value)}
    return action | state_of(element, value)


def find(blocks: list[Json], action_id: str, block_id: str | None, value: Any) -> tuple[Json, Json]:
    """Find the block and element with this id; `value` distinguishes buttons with the same id."""
    for block in blocks:
        if block_id is not None and block["block_id"] != block_id:
            continue
        for element in touchable(block):
            if element["action_id"] != action_id:
                continue
            if element["type"] != "button" or value in (None, element.get("value")):
                return block, element
    raise ImpossibleError(f"there is no {action_id!r} to press or fill in")


def empty_fields(blocks: list[Json], values: Values) -> dict[str, str]:
    """Return required inputs left empty, by block id: because of them Slack itself stops a submission."""
    errors = {}
    for block in blocks:
        if block["type"] == "input" and not block.get("optional", False):
            element = block["element"]
            state = values.get(block["block_id"], {}).get(element["action_id"], {})
            if not state.get(_STATE[element["type"]][0]):
                errors[block["block_id"]] = REQUIRED
    return errors


def _state(element: Json, value: Any) -> Json:
    key = _STATE[element["type"]][0]
    several = key.endswith("s")
    return {"type": element["type"], key: (value or []) if several else value}


def _option(element: Json, wanted: Any) -> Json:
    value = wanted.get("value") if isinstance(wanted, dict) else wanted
    groups = element.get("option_groups") or [{"options": element.get("options", [])}]
    for group in groups:
        for option in group["options"]:
            if option["value"] == value:
                offered: Json = option
                return offered
    if element["type"].endswith("external_select") and isinstance(wanted, dict):
        return wanted
    raise ImpossibleError(f"{value!r} is not among the options")
