"""The workspace's Web API against the OpenAPI document that Slack once published.

The document was written from 2017 to 2021 and is no longer kept, so what Slack has changed since
stands in a list here with its reason; an entry nothing needs any more fails as well.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no annotations
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.doubles.slack import Channel, Group, Json, Person, Workspace, serve
from bot.doubles.slack.api import REQUIRED
from tests.doubles.slack.tiny_bot import APP_TOKEN, BOT_TOKEN, CARD, FORM, SIGNING_SECRET, with_scopes
from tests.paths import SPECS

DOCUMENT = SPECS / "slack_web_openapi_v2.json"

ADA, BOB, CHANNEL, GROUP = "U02ADALOVE", "U03BOBBUILD", "C01DATABASE", "S01DATABASE"

# "method place: complaint", as a regular expression, and why Slack's document is wrong by now.
KNOWN = {
    r"^chat\.postMessage message: .*'app_id' was unexpected": "bots' messages name their app by now",
    r"^chat\.update message\.blocks: .* is not of type 'object'": "a slip: blocks are an array",
    r"'is_email_confirmed' was unexpected": "a flag of 2021, which decides who a person is",
    r"profile: 'fields' is a required property": "custom fields come from users.profile.get only",
}
NEWER_METHODS = {"apps.connections.open": "Socket Mode is younger than the document"}
NEWER_ERRORS = {
    "chat.postMessage invalid_blocks": "Block Kit is younger than the document's list of errors",
    "usergroups.users.list no_such_subteam": "missing in the document, named in Slack's reference",
}


@pytest.fixture(scope="module")
def document() -> Json:
    if not DOCUMENT.exists():
        pytest.skip(f"Slack's OpenAPI document is not at {DOCUMENT}")
    document: Json = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return document


@pytest.fixture
def workspace() -> Workspace:
    """Return a workspace with ids as long as Slack's own."""
    scopes = with_scopes("channels:read", "im:read", "im:write")
    workspace = Workspace(scopes, bot_token=BOT_TOKEN, signing_secret=SIGNING_SECRET, app_token=APP_TOKEN)
    workspace.add_person(Person(id=ADA, name="ada", email="ada@example.com"))
    workspace.add_person(Person(id=BOB, name="bob", deleted=True))
    members = (ADA, workspace.app.user_id)
    workspace.add_channel(Channel(id=CHANNEL, name="db-access", members=members))
    workspace.add_group(Group(id=GROUP, handle="dba", users=(ADA,)))
    return workspace


@pytest.fixture
def client(workspace: Workspace) -> Iterator[WebClient]:
    server = serve(workspace)
    yield WebClient(token=BOT_TOKEN, base_url=server.api_url)
    server.close()
    workspace.close()


def lived(client: WebClient, workspace: Workspace) -> None:
    """Call every method once, so that it returns everything it may."""
    tokens = workspace.tokens
    client.auth_test()
    card = client.chat_postMessage(channel=CHANNEL, text="Ada asks", blocks=CARD)["ts"]
    client.chat_postMessage(channel=ADA, text="in a DM")
    client.chat_postMessage(channel=CHANNEL, text="in a thread", thread_ts=card)
    client.chat_update(channel=CHANNEL, ts=card, text="Bob approved")
    client.chat_postEphemeral(channel=CHANNEL, user=ADA, text="psst")
    client.chat_delete(channel=CHANNEL, ts=card)
    client.conversations_open(users=ADA)
    client.conversations_open(users=ADA, return_im=True)
    client.conversations_info(channel=CHANNEL, include_num_members=True)
    client.conversations_members(channel=CHANNEL, limit=1)
    client.users_conversations(exclude_archived=True)
    client.users_info(user=ADA)
    client.users_list(limit=2)
    client.users_lookupByEmail(email="ada@example.com")
    client.usergroups_list(include_users=True)
    client.usergroups_users_list(usergroup=GROUP)
    view = client.views_open(trigger_id=tokens.trigger(ADA), view=FORM)["view"]
    client.views_push(trigger_id=tokens.trigger(ADA), view=FORM)
    client.views_update(view_id=view["id"], view=FORM)
    client.views_publish(user_id=ADA, view={"type": "home", "blocks": CARD})
    client.apps_connections_open(app_token=APP_TOKEN)


REFUSALS: list[tuple[str, Json]] = [
    ("chat.postMessage", {"channel": "C99NOWHERE", "text": "x"}),
    ("chat.postMessage", {"channel": CHANNEL}),
    ("chat.postMessage", {"channel": CHANNEL, "text": "x" * 40_001}),
    ("chat.postMessage", {"channel": CHANNEL, "blocks": '[{"type":"banner"}]'}),
    ("chat.update", {"channel": CHANNEL, "ts": "1763719200.000000", "text": "x"}),
    ("chat.postEphemeral", {"channel": CHANNEL, "user": BOB, "text": "x"}),
    ("chat.delete", {"channel": CHANNEL, "ts": "1763719200.000000"}),
    ("conversations.open", {"users": BOB}),
    ("conversations.open", {"users": ""}),
    ("conversations.open", {"channel": CHANNEL}),
    ("conversations.info", {"channel": "C99NOWHERE"}),
    ("conversations.members", {"channel": CHANNEL, "cursor": "?"}),
    ("conversations.members", {"channel": CHANNEL, "limit": "0"}),
    ("users.conversations", {"cursor": "?"}),
    ("users.conversations", {"types": "private_channel"}),
    ("users.info", {"user": "U99NOBODY"}),
    ("users.list", {"cursor": "?"}),
    ("users.lookupByEmail", {"email": "nobody@example.com"}),
    ("usergroups.users.list", {"usergroup": "S99NONE"}),
    ("views.open", {"trigger_id": "1.2.3", "view": json.dumps(FORM)}),
]


def test_every_method_is_in_the_document(document: Json, workspace: Workspace) -> None:
    documented = {path.removeprefix("/") for path in document["paths"]}

    assert workspace.api.methods - documented == NEWER_METHODS.keys()


def test_what_the_document_requires_is_required(document: Json, client: WebClient) -> None:
    for method, names in required(document).items():
        if method in NEWER_METHODS or method not in REQUIRED:
            assert names == set(), method
            continue
        assert names <= set(REQUIRED[method]), method
        for name in names:
            others = {other: "x" for other in REQUIRED[method] if other != name}
            with pytest.raises(SlackApiError, match=f"missing required field: {name}"):
                client.api_call(method, params=others)


def test_answers_have_the_documented_shape(document: Json, client: WebClient, workspace: Workspace) -> None:
    lived(client, workspace)
    complaints = [
        complaint
        for call in workspace.calls
        if call.method not in NEWER_METHODS
        for complaint in differences(document, call.method, "200", call.answer)
    ]

    assert {call.method for call in workspace.calls} == workspace.api.methods
    unknown = [each for each in complaints if not any(re.search(k, each) for k in KNOWN)]
    assert unknown == []
    assert [k for k in KNOWN if not any(re.search(k, each) for each in complaints)] == []


def test_refusals_have_documented_names(document: Json, client: WebClient, workspace: Workspace) -> None:
    for method, args in REFUSALS:
        with pytest.raises(SlackApiError):
            client.api_call(method, params=args)
    seen = {
        f"{call.method} {call.answer['error']}"
        for call in workspace.calls
        if list(differences(document, call.method, "default", slim(call.answer)))
    }

    assert seen == NEWER_ERRORS.keys()


def required(document: Json) -> dict[str, set[str]]:
    methods = {path.removeprefix("/"): item for path, item in document["paths"].items()}
    ours = {method: methods[method] for method in methods if method in REQUIRED}
    return {
        method: {
            parameter["name"]
            for operation in item.values()
            for parameter in operation["parameters"]
            if parameter.get("required") and parameter["name"] != "token"
        }
        for method, item in ours.items()
    }


def differences(document: Json, method: str, status: str, answer: Json) -> Iterator[str]:
    (operation,) = document["paths"][f"/{method}"].values()
    schema = understood(operation["responses"][status]["schema"])
    schema["definitions"] = understood(document["definitions"])
    for error in jsonschema.Draft4Validator(schema).iter_errors(answer):
        for each in plainest(error):
            place = ".".join(str(step) for step in each.absolute_path)
            yield f"{method} {place}: {each.message}"


def plainest(error: Any) -> list[Any]:
    """Return what is wrong with the alternative that comes closest, of several that all fail."""
    branches: dict[int, list[Any]] = {}
    for each in error.context:
        branches.setdefault(each.schema_path[0], []).extend(plainest(each))
    return min(branches.values(), key=len) if branches else [error]


def understood(schema: Any) -> Any:
    """Return the schema with its alternatives, lists of `items` on what is not an array, as ``anyOf``."""
    if isinstance(schema, list):
        return [understood(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    read = {name: understood(each) for name, each in schema.items()}
    if isinstance(read.get("items"), list) and read.get("type") != "array":
        read["anyOf"] = read.pop("items")
    return read


def slim(answer: Json) -> Json:
    """Return the answer without the explanations that Slack has added since the document was written."""
    return {name: answer[name] for name in ("ok", "error")}
