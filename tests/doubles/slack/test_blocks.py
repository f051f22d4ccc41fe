"""The simulated Slack accepts and refuses blocks and views by Slack's limits."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.doubles.slack.blocks import message_errors, too_long, view_errors, view_too_large

Json = dict[str, Any]


def plain(text: str = "words", **more: Any) -> Json:
    return {"type": "plain_text", "text": text, **more}


def mrkdwn(text: str = "words", **more: Any) -> Json:
    return {"type": "mrkdwn", "text": text, **more}


def section(**more: Any) -> Json:
    return {"type": "section", **({"text": mrkdwn()} | more)}


def button(**more: Any) -> Json:
    return {"type": "button", "action_id": "approve", "text": plain(), **more}


def buttons(count: int, **more: Any) -> list[Json]:
    return [button(action_id=f"b{number}", **more) for number in range(count)]


def actions(*elements: Json, **more: Any) -> Json:
    return {"type": "actions", "elements": list(elements), **more}


def option(text: str = "4 hours", value: str = "4h", **more: Any) -> Json:
    return {"text": plain(text), "value": value, **more}


def options(count: int) -> list[Json]:
    return [option(value=str(number)) for number in range(count)]


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "length", **({"options": options(2)} | more)}


def field(element: Json | None = None, **more: Any) -> Json:
    typed = {"type": "plain_text_input", "action_id": "text"}
    return {"type": "input", "label": plain(), "element": element or typed, **more}


def confirm(**more: Any) -> Json:
    asked = {"title": plain(), "text": mrkdwn(), "confirm": plain("Yes"), "deny": plain("No")}
    return asked | more


def modal(*blocks: Json, **more: Any) -> Json:
    form = {"type": "modal", "title": plain(), "submit": plain("Ask"), "blocks": list(blocks)}
    return form | more


def home(*blocks: Json, **more: Any) -> Json:
    return {"type": "home", "blocks": list(blocks), **more}


def without(value: Json, name: str) -> Json:
    return {key: each for key, each in value.items() if key != name}


GOOD = {
    "every block of a message": [
        {"type": "header", "text": plain("h" * 150), "block_id": "b" * 255},
        section(text=mrkdwn("t" * 3000, verbatim=True), accessory=button(confirm=confirm())),
        section(text=plain(emoji=True)),
        without(section(fields=[mrkdwn("f" * 2000)] * 10), "text"),
        {"type": "context", "elements": [mrkdwn()] * 9 + [{"type": "plain_text", "text": "x"}]},
        {"type": "divider"},
        {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"},
        {"type": "markdown", "text": "m" * 12_000},
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text"}]}],
        },
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 20] * 100},
    ],
    "as many as there may be": [{"type": "divider"}] * 50,
    "a full row of buttons": [actions(*buttons(25))],
    "a button at its limits": [
        actions(
            button(
                text=plain("t" * 75),
                value="v" * 2000,
                url="https://example.com/" + "u" * 2980,
                style="danger",
                action_id="a" * 255,
                accessibility_label="a" * 75,
                confirm=confirm(
                    title=plain("t" * 100),
                    text=plain("t" * 300),
                    confirm=plain("c" * 30),
                    deny=plain("d" * 30),
                    style="danger",
                ),
            )
        )
    ],
    "menus": [
        actions(
            select(options=options(100), placeholder=plain("p" * 150), initial_option=options(3)[2]),
            {"type": "overflow", "action_id": "more", "options": options(5)},
            {"type": "users_select", "action_id": "who", "initial_user": "U02ADA"},
            {"type": "datepicker", "action_id": "day", "initial_date": "2026-11-21"},
            {"type": "timepicker", "action_id": "time", "initial_time": "23:59"},
            {"type": "datetimepicker", "action_id": "when", "initial_date_time": 1763719200},
            {"type": "radio_buttons", "action_id": "one", "options": options(10)},
            {"type": "checkboxes", "action_id": "some", "options": [option() | {"text": mrkdwn()}]},
        ),
        actions(without(select(option_groups=[{"label": plain(), "options": options(2)}]), "options")),
    ],
    "one action id in two blocks": [actions(button()), actions(button())],
}


@pytest.mark.parametrize("blocks", GOOD.values(), ids=GOOD)
def test_slack_takes(blocks: list[Json]) -> None:
    assert message_errors(blocks) == []


def longer(most: int) -> str:
    return f"must be less than {most + 1} characters"


BAD: dict[str, tuple[Any, str, str]] = {
    "no list": ({"type": "divider"}, "must be an array", "/blocks"),
    "no object": (["divider"], "must be an object", "/blocks/0"),
    "no type": ([{"text": mrkdwn()}], "missing required field: type", "/blocks/0"),
    "a type that is a list": ([{"type": []}], "unsupported type: []", "/blocks/0/type"),
    "a block nobody knows": ([{"type": "banner"}], "unsupported type: banner", "/blocks/0/type"),
    "51 blocks": ([{"type": "divider"}] * 51, "no more than 50 items allowed", "/blocks"),
    "a field nobody knows": (
        [{"type": "divider", "color": "red"}],
        "invalid additional property: color",
        "/blocks/0",
    ),
    "a long block id": (
        [{"type": "divider", "block_id": "b" * 256}],
        longer(255),
        "/blocks/0/block_id",
    ),
    "a block id twice": (
        [{"type": "divider", "block_id": "b"}] * 2,
        "`block_id` b already exists",
        "/blocks",
    ),
    "a section of nothing": (
        [{"type": "section"}],
        "must define either `text` or `fields`",
        "/blocks/0",
    ),
    "long text in a section": (
        [section(text=mrkdwn("t" * 3001))],
        longer(3000),
        "/blocks/0/text/text",
    ),
    "empty text": (
        [section(text=mrkdwn(""))],
        "must be more than 0 characters",
        "/blocks/0/text/text",
    ),
    "text that is a string": ([section(text="words")], "must be an object", "/blocks/0/text"),
    "text that is a number": (
        [section(text={"type": "mrkdwn", "text": 7})],
        "must be a string",
        "/blocks/0/text/text",
    ),
    "a text object of another type": (
        [section(text={"type": "html", "text": "x"})],
        "unsupported type: html",
        "/blocks/0/text/type",
    ),
    "emoji in mrkdwn": (
        [section(text=mrkdwn(emoji=True))],
        "invalid additional property: emoji",
        "/blocks/0/text",
    ),
    "verbatim that is not a boolean": (
        [section(text=mrkdwn(verbatim="yes"))],
        "must be a boolean",
        "/blocks/0/text/verbatim",
    ),
    "11 fields": (
        [section(fields=[mrkdwn()] * 11)],
        "no more than 10 items allowed",
        "/blocks/0/fields",
    ),
    "no fields": ([section(fields=[])], "no fewer than 1 items allowed", "/blocks/0/fields"),
    "a long field": (
        [section(fields=[mrkdwn("f" * 2001)])],
        longer(2000),
        "/blocks/0/fields/0/text",
    ),
    "an input as accessory": (
        [section(accessory={"type": "plain_text_input", "action_id": "x"})],
        "unsupported type: plain_text_input",
        "/blocks/0/accessory/type",
    ),
    "mrkdwn in a header": (
        [{"type": "header", "text": mrkdwn()}],
        "unsupported type: mrkdwn",
        "/blocks/0/text/type",
    ),
    "a long header": (
        [{"type": "header", "text": plain("h" * 151)}],
        longer(150),
        "/blocks/0/text/text",
    ),
    "11 context elements": (
        [{"type": "context", "elements": [mrkdwn()] * 11}],
        "no more than 10 items allowed",
        "/blocks/0/elements",
    ),
    "a button in a context": (
        [{"type": "context", "elements": [button()]}],
        "unsupported type: button",
        "/blocks/0/elements/0/type",
    ),
    "26 buttons": (
        [actions(*buttons(26))],
        "no more than 25 items allowed",
        "/blocks/0/elements",
    ),
    "no buttons": ([actions()], "no fewer than 1 items allowed", "/blocks/0/elements"),
    "an action id twice": (
        [actions(button(), button())],
        "`action_id` approve already exists",
        "/blocks/0/elements",
    ),
    "an element nobody knows": (
        [actions({"type": "slider"})],
        "unsupported type: slider",
        "/blocks/0/elements/0/type",
    ),
    "an image among buttons": (
        [actions({"type": "image", "image_url": "x", "alt_text": "x"})],
        "unsupported type: image",
        "/blocks/0/elements/0/type",
    ),
    "a button without text": (
        [actions(without(button(), "text"))],
        "missing required field: text",
        "/blocks/0/elements/0",
    ),
    "mrkdwn on a button": (
        [actions(button(text=mrkdwn()))],
        "unsupported type: mrkdwn",
        "/blocks/0/elements/0/text/type",
    ),
    "a long button": (
        [actions(button(text=plain("t" * 76)))],
        longer(75),
        "/blocks/0/elements/0/text/text",
    ),
    "a long value": (
        [actions(button(value="v" * 2001))],
        longer(2000),
        "/blocks/0/elements/0/value",
    ),
    "a value that is a number": (
        [actions(button(value=7))],
        "must be a string",
        "/blocks/0/elements/0/value",
    ),
    "a value that is null": (
        [actions(button(value=None))],
        "must be a string",
        "/blocks/0/elements/0/value",
    ),
    "a long url": (
        [actions(button(url="u" * 3001))],
        longer(3000),
        "/blocks/0/elements/0/url",
    ),
    "a long action id": (
        [actions(button(action_id="a" * 256))],
        longer(255),
        "/blocks/0/elements/0/action_id",
    ),
    "a green button": (
        [actions(button(style="green"))],
        "must be one of primary, danger",
        "/blocks/0/elements/0/style",
    ),
    "a long label for screen readers": (
        [actions(button(accessibility_label="a" * 76))],
        longer(75),
        "/blocks/0/elements/0/accessibility_label",
    ),
    "a question without a no": (
        [actions(button(confirm=without(confirm(), "deny")))],
        "missing required field: deny",
        "/blocks/0/elements/0/confirm",
    ),
    "a long question": (
        [actions(button(confirm=confirm(text=mrkdwn("t" * 301))))],
        longer(300),
        "/blocks/0/elements/0/confirm/text/text",
    ),
    "a long title of a question": (
        [actions(button(confirm=confirm(title=plain("t" * 101))))],
        longer(100),
        "/blocks/0/elements/0/confirm/title/text",
    ),
    "a long yes": (
        [actions(button(confirm=confirm(confirm=plain("c" * 31))))],
        longer(30),
        "/blocks/0/elements/0/confirm/confirm/text",
    ),
    "101 options": (
        [actions(select(options=options(101)))],
        "no more than 100 items allowed",
        "/blocks/0/elements/0/options",
    ),
    "no options": (
        [actions(select(options=[]))],
        "no fewer than 1 items allowed",
        "/blocks/0/elements/0/options",
    ),
    "options and groups": (
        [actions(select(option_groups=[{"label": plain(), "options": options(1)}]))],
        "must define either `options` or `option_groups`, and not both",
        "/blocks/0/elements/0",
    ),
    "an option that is a string": (
        [actions(select(options=["4h"]))],
        "must be an object",
        "/blocks/0/elements/0/options/0",
    ),
    "an option that is too long": (
        [actions(select(options=[option("t" * 76)]))],
        longer(75),
        "/blocks/0/elements/0/options/0/text/text",
    ),
    "an option whose value is too long": (
        [actions(select(options=[option(value="v" * 76)]))],
        longer(75),
        "/blocks/0/elements/0/options/0/value",
    ),
    "an option described too long": (
        [actions(select(options=[option(description=plain("d" * 76))]))],
        longer(75),
        "/blocks/0/elements/0/options/0/description/text",
    ),
    "mrkdwn in a menu": (
        [actions(select(options=[option() | {"text": mrkdwn()}]))],
        "unsupported type: mrkdwn",
        "/blocks/0/elements/0/options/0/text/type",
    ),
    "a long placeholder": (
        [actions(select(placeholder=plain("p" * 151)))],
        longer(150),
        "/blocks/0/elements/0/placeholder/text",
    ),
    "a first choice that is not offered": (
        [actions(select(initial_option=option(value="9h")))],
        "initial_option must be one of the options",
        "/blocks/0/elements/0/initial_option",
    ),
    "a menu of six": (
        [actions({"type": "overflow", "action_id": "x", "options": options(6)})],
        "no more than 5 items allowed",
        "/blocks/0/elements/0/options",
    ),
    "11 radio buttons": (
        [actions({"type": "radio_buttons", "action_id": "x", "options": options(11)})],
        "no more than 10 items allowed",
        "/blocks/0/elements/0/options",
    ),
    "a day that is none": (
        [actions({"type": "datepicker", "action_id": "x", "initial_date": "21.11.2026"})],
        "invalid value",
        "/blocks/0/elements/0/initial_date",
    ),
    "milliseconds": (
        [actions({"type": "datetimepicker", "action_id": "x", "initial_date_time": 10**12})],
        "must be between 1000000000 and 9999999999",
        "/blocks/0/elements/0/initial_date_time",
    ),
    "a time that is true": (
        [actions({"type": "datetimepicker", "action_id": "x", "initial_date_time": True})],
        "must be an integer",
        "/blocks/0/elements/0/initial_date_time",
    ),
    "an image from nowhere": (
        [{"type": "image", "alt_text": "a"}],
        "must define either `image_url` or `slack_file`, and not both",
        "/blocks/0",
    ),
    "an accessory from nowhere": (
        [section(accessory={"type": "image", "alt_text": "a"})],
        "must define either `image_url` or `slack_file`, and not both",
        "/blocks/0/accessory",
    ),
    "an image without words": (
        [{"type": "image", "image_url": "https://example.com/a.png"}],
        "missing required field: alt_text",
        "/blocks/0",
    ),
    "much markdown": (
        [{"type": "markdown", "text": "m" * 6001}] * 2,
        "must be less than 12001 characters in all",
        "/blocks",
    ),
    "101 rows": (
        [{"type": "table", "rows": [[{"type": "raw_text"}]] * 101}],
        "no more than 100 items allowed",
        "/blocks/0/rows",
    ),
    "21 columns": (
        [{"type": "table", "rows": [[{"type": "raw_text"}] * 21]}],
        "no more than 20 items allowed",
        "/blocks/0/rows/0",
    ),
    "an input in a message": ([field()], "unsupported type: input", "/blocks/0/type"),
}


@pytest.mark.parametrize(("blocks", "wrong", "where"), BAD.values(), ids=BAD)
def test_slack_refuses(blocks: Any, wrong: str, where: str) -> None:
    assert message_errors(blocks) == [f"{wrong} [json-pointer:{where}]"]


def test_every_mistake_is_told_at_once() -> None:
    blocks = [{"type": "header", "text": plain("h" * 151)}, actions(button(style="green"))]

    assert len(message_errors(blocks)) == 2


GOOD_VIEWS = {
    "a form at its limits": modal(
        field(label=plain("l" * 2000), hint=plain("h" * 2000), optional=True),
        *[{"type": "divider"}] * 99,
        title=plain("t" * 24),
        submit=plain("s" * 24),
        close=plain("c" * 24),
        private_metadata="p" * 3000,
        callback_id="c" * 255,
        external_id="e" * 255,
        clear_on_close=True,
        notify_on_close=True,
    ),
    "something to read": without(modal(section()), "submit"),
    "a home": home(section(), actions(button()), private_metadata="x", callback_id="home"),
    "an empty home": home(),
}


@pytest.mark.parametrize("view", GOOD_VIEWS.values(), ids=GOOD_VIEWS)
def test_slack_takes_the_view(view: Json) -> None:
    assert view_errors(view, view["type"]) == []


BAD_VIEWS: dict[str, tuple[Any, str, str]] = {
    "no object": ("modal", "must be an object", "/view"),
    "another type": ({"type": "popup"}, "must be one of modal", "/view/type"),
    "a home in a modal's place": (home(), "must be one of modal", "/view/type"),
    "no title": (without(modal(), "title"), "missing required field: title", "/view"),
    "no blocks": (without(modal(), "blocks"), "missing required field: blocks", "/view"),
    "a long title": (modal(title=plain("t" * 25)), longer(24), "/view/title/text"),
    "a title in mrkdwn": (
        modal(title=mrkdwn()),
        "unsupported type: mrkdwn",
        "/view/title/type",
    ),
    "a long submit": (modal(submit=plain("s" * 25)), longer(24), "/view/submit/text"),
    "a long close": (modal(close=plain("c" * 25)), longer(24), "/view/close/text"),
    "much metadata": (modal(private_metadata="p" * 3001), longer(3000), "/view/private_metadata"),
    "a long callback id": (modal(callback_id="c" * 256), longer(255), "/view/callback_id"),
    "101 blocks": (
        modal(*[{"type": "divider"}] * 101),
        "no more than 100 items allowed",
        "/view/blocks",
    ),
    "inputs and no submit": (
        without(modal(field()), "submit"),
        "missing required field: submit",
        "/view",
    ),
    "an input without a label": (
        modal(without(field(), "label")),
        "missing required field: label",
        "/view/blocks/0",
    ),
    "a long label": (
        modal(field(label=plain("l" * 2001))),
        longer(2000),
        "/view/blocks/0/label/text",
    ),
    "a button as input": (
        modal(field(button())),
        "unsupported type: button",
        "/view/blocks/0/element/type",
    ),
    "a text of more than may be typed": (
        modal(field({"type": "plain_text_input", "action_id": "x", "max_length": 3001})),
        "must be between 1 and 3000",
        "/view/blocks/0/element/max_length",
    ),
    "markdown": (
        modal({"type": "markdown", "text": "x"}),
        "unsupported type: markdown",
        "/view/blocks/0/type",
    ),
    "a field nobody knows": (
        modal(colour="red"),
        "invalid additional property: colour",
        "/view",
    ),
}


@pytest.mark.parametrize(("view", "wrong", "where"), BAD_VIEWS.values(), ids=BAD_VIEWS)
def test_slack_refuses_the_view(view: Any, wrong: str, where: str) -> None:
    assert view_errors(view, "modal") == [f"{wrong} [json-pointer:{where}]"]


def test_a_home_has_no_title() -> None:
    assert view_errors(home(title=plain()), "home") == [
        "invalid additional property: title [json-pointer:/view]"
    ]


@pytest.mark.parametrize(
    ("measure", "most", "frame"),
    [
        (lambda text: too_long([{"text": text}]), 13_200, len('[{"text":""}]')),
        (lambda text: view_too_large({"text": text}), 250_000, len('{"text": ""}')),
    ],
)
def test_the_whole_has_a_limit_too(measure: Callable[[str], bool], most: int, frame: int) -> None:
    assert not measure("x" * (most - frame))
    assert measure("x" * (most - frame + 1))
