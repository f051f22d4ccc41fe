"""The simulated Web API returns and refuses what Slack does, as seen by a stock slack_sdk client."""

import json
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.doubles.slack import Channel, Person, Workspace, serve
from tests.doubles.slack.tiny_bot import (
    ADA,
    APP_TOKEN,
    BOB,
    BOT_TOKEN,
    CARD,
    CAROL,
    CHANNEL,
    FORM,
    MANIFEST,
    inhabited,
    with_scopes,
)

BOT = "U0ROTAKEY"


@contextmanager
def slack(workspace: Workspace) -> Iterator[WebClient]:
    server = serve(workspace)
    try:
        yield WebClient(token=BOT_TOKEN, base_url=server.api_url)
    finally:
        server.close()
        workspace.close()


@pytest.fixture
def workspace() -> Workspace:
    return inhabited(with_scopes("channels:read", "groups:read", "im:read", "im:write"))


@pytest.fixture
def client(workspace: Workspace) -> Iterator[WebClient]:
    with slack(workspace) as client:
        yield client


def refused(client: WebClient, method: str, /, **args: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as caught:
        client.api_call(method, params=args)
    answer = caught.value.response.data
    assert isinstance(answer, dict)
    assert answer["ok"] is False
    return answer


def test_the_bot_learns_who_it_is(client: WebClient) -> None:
    me = client.auth_test()

    assert (me["team_id"], me["user_id"], me["bot_id"]) == ("T0ROTAKEY", BOT, "B0ROTAKEY")
    assert me.headers["X-OAuth-Scopes"].startswith("commands,chat:write")


def test_tokens_are_checked(client: WebClient, workspace: Workspace) -> None:
    for token, error in (
        ("", "not_authed"),
        ("xoxb-somebody-else", "invalid_auth"),
        (APP_TOKEN, "not_allowed_token_type"),
    ):
        stranger = WebClient(token=token, base_url=client.base_url)
        assert refused(stranger, "auth.test")["error"] == error
    assert refused(client, "apps.connections.open")["error"] == "not_allowed_token_type"
    assert [each.answer.get("error") for each in workspace.calls] == [
        "not_authed",
        "invalid_auth",
        "not_allowed_token_type",
        "not_allowed_token_type",
    ]


def test_a_method_nobody_knows(client: WebClient) -> None:
    assert refused(client, "chat.shout")["error"] == "unknown_method"


def test_scopes_come_from_the_manifest() -> None:
    bare = {**MANIFEST, "oauth_config": {"scopes": {"bot": ["users:read"]}}}
    with slack(inhabited(bare)) as client:
        for method, args, needed in (
            ("chat.postMessage", {"channel": CHANNEL, "text": "x"}, "chat:write"),
            ("chat.update", {"channel": CHANNEL, "ts": "1.0", "text": "x"}, "chat:write"),
            ("users.lookupByEmail", {"email": "ada@example.com"}, "users:read.email"),
            ("usergroups.list", {}, "usergroups:read"),
            ("conversations.open", {"users": ADA}, "im:write"),
            ("conversations.info", {"channel": CHANNEL}, "channels:read"),
        ):
            answer = refused(client, method, **args)
            assert (answer["error"], answer["needed"]) == ("missing_scope", needed)
            assert answer["provided"] == "users:read"
        assert "email" not in client.users_info(user=ADA)["user"]["profile"]


def test_arguments_that_are_missing_are_named(client: WebClient) -> None:
    answer = refused(client, "chat.update", text="x")

    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] missing required field: channel",
        "[ERROR] missing required field: ts",
    ]


@pytest.mark.parametrize(("body", "error"), [(b'{"channel":', "invalid_json"), (b"[1]", "json_not_object")])
def test_a_body_has_to_be_an_object(client: WebClient, body: bytes, error: str) -> None:
    headers = {"Authorization": f"Bearer {BOT_TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(client.base_url + "chat.postMessage", body, headers)
    with urllib.request.urlopen(request) as response:
        assert json.loads(response.read()) == {"ok": False, "error": error}


def test_lookups_do_not_read_a_json_body(client: WebClient) -> None:
    with pytest.raises(SlackApiError, match="missing required field: user"):
        client.api_call("users.info", json={"user": ADA})


def test_a_message_comes_back_with_ids_for_what_has_none(client: WebClient) -> None:
    nameless = [{"type": "divider"}, {**CARD[0]}]
    posted = client.chat_postMessage(channel=CHANNEL, text="Ada asks", blocks=nameless)

    message = posted["message"]
    assert (posted["channel"], message["ts"]) == (CHANNEL, posted["ts"])
    assert (message["user"], message["bot_id"], message["text"]) == (BOT, "B0ROTAKEY", "Ada asks")
    ids = {block["block_id"] for block in message["blocks"]}
    assert len(ids) == 2
    assert all(ids)


@pytest.mark.parametrize("wanted", [CHANNEL, "#db-access", "db-access"])
def test_a_channel_is_found_by_id_and_name(client: WebClient, wanted: str) -> None:
    assert client.chat_postMessage(channel=wanted, text="x")["channel"] == CHANNEL


def test_the_bot_posts_where_it_is_a_member(client: WebClient, workspace: Workspace) -> None:
    workspace.add_channel(Channel(id="C02PUB", name="public", members=(ADA,)))
    workspace.add_channel(Channel(id="C03SEC", name="secret", members=(ADA,), private=True))
    workspace.add_channel(Channel(id="C04OLD", name="old", members=(BOT,), archived=True))

    for channel, error in (
        ("C02PUB", "not_in_channel"),
        ("C03SEC", "channel_not_found"),
        ("#secret", "channel_not_found"),
        ("C04OLD", "is_archived"),
        ("C99NONE", "channel_not_found"),
        ("#nowhere", "channel_not_found"),
        ("#", "channel_not_found"),
        ("U99NOBODY", "channel_not_found"),
        ("D0ROTAKEY", "channel_not_found"),
        (BOT, "cannot_dm_bot"),
    ):
        answer = refused(client, "chat.postMessage", channel=channel, text="x")
        assert (channel, answer["error"]) == (channel, error)

    workspace.invite("C03SEC", BOT)
    assert client.chat_postMessage(channel="#secret", text="x")["ok"]


def test_one_scope_lets_it_post_in_any_public_channel() -> None:
    workspace = inhabited(with_scopes("chat:write.public"))
    workspace.add_channel(Channel(id="C02PUB", name="public", members=(ADA,)))
    with slack(workspace) as client:
        assert client.chat_postMessage(channel="C02PUB", text="x")["ok"]


def test_no_messages_where_the_manifest_has_no_messages_tab() -> None:
    features = {**MANIFEST["features"], "app_home": {"messages_tab_enabled": False}}
    with slack(inhabited({**MANIFEST, "features": features})) as client:
        answer = refused(client, "chat.postMessage", channel=ADA, text="x")
        assert answer["error"] == "messages_tab_disabled"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": "x", "blocks": "no json"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": "{}"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": '[{"type":"banner"}]'}, "invalid_blocks"),
        ({"text": "x", "thread_ts": "1.000000"}, "thread_not_found"),
    ],
)
def test_content_that_is_refused(client: WebClient, content: dict[str, str], error: str) -> None:
    assert refused(client, "chat.postMessage", channel=CHANNEL, **content)["error"] == error


def test_the_text_may_be_as_long_as_slack_takes_it(client: WebClient) -> None:
    posted = client.chat_postMessage(channel=CHANNEL, text="x" * 40_000)
    assert client.chat_update(channel=CHANNEL, ts=posted["ts"], text="x" * 4_000)["ok"]
    too_long = {"channel": CHANNEL, "ts": posted["ts"], "text": "x" * 4_001}
    assert refused(client, "chat.update", **too_long)["error"] == "msg_too_long"


def test_blocks_too_long_in_all(client: WebClient) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_700}}
    with pytest.raises(SlackApiError, match="msg_blocks_too_long"):
        client.chat_postMessage(channel=CHANNEL, text="x", blocks=[section] * 5)


def test_what_is_wrong_in_blocks_is_said(client: WebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel=CHANNEL, text="x", blocks=[{"type": "section"}])
    answer = caught.value.response
    told = "must define either `text` or `fields` [json-pointer:/blocks/0]"
    assert answer["errors"] == [told]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {told}"]


def test_an_update_keeps_the_blocks_it_does_not_mention(client: WebClient) -> None:
    ts = client.chat_postMessage(channel=CHANNEL, text="one", blocks=CARD)["ts"]

    kept = client.chat_update(channel=CHANNEL, ts=ts, text="two")
    assert (kept["text"], len(kept["message"]["blocks"])) == ("two", 2)
    assert kept["message"]["edited"]["user"] == "B0ROTAKEY"
    dropped = client.chat_update(channel=CHANNEL, ts=ts, text="three", blocks=[])
    assert "blocks" not in dropped["message"]


def test_only_its_own_lasting_messages_can_be_changed(client: WebClient, workspace: Workspace) -> None:
    mine = client.chat_postMessage(channel=CHANNEL, text="mine")
    posted = workspace.messages(CHANNEL)[0]
    workspace.memory.put(replace(posted, ts="1.000001", user=BOB))
    shown = client.chat_postEphemeral(channel=CHANNEL, user=ADA, text="psst")

    for method, error in (
        ("chat.update", "cant_update_message"),
        ("chat.delete", "cant_delete_message"),
    ):
        theirs = {"channel": CHANNEL, "ts": "1.000001", "text": "x"}
        assert refused(client, method, **theirs)["error"] == error
        for ts in (shown["message_ts"], "2.000002"):
            gone = {"channel": CHANNEL, "ts": ts, "text": "x"}
            assert refused(client, method, **gone)["error"] == "message_not_found"

    assert client.chat_delete(channel=CHANNEL, ts=mine["ts"])["ok"]
    assert [each.user for each in workspace.messages(CHANNEL)] == [BOB]


def test_ephemeral_messages_reach_members_only(client: WebClient, workspace: Workspace) -> None:
    client.chat_postEphemeral(channel=CHANNEL, user=ADA, text="for your eyes")
    assert [each.text for each in workspace.ephemerals(ADA)] == ["for your eyes"]

    outside = {"channel": CHANNEL, "user": CAROL, "text": "x"}
    assert refused(client, "chat.postEphemeral", **outside)["error"] == "user_not_in_channel"


def test_a_thread_counts_its_replies(client: WebClient, workspace: Workspace) -> None:
    card = client.chat_postMessage(channel=CHANNEL, text="Ada asks")["ts"]
    reply = client.chat_postMessage(channel=CHANNEL, thread_ts=card, text="Bob approved")["ts"]
    client.chat_postMessage(channel=CHANNEL, thread_ts=reply, text="It ended")

    (channel, _) = workspace.state(ADA)["channels"]
    (shown,) = channel["messages"]
    assert (shown["text"], shown["reply_count"]) == ("Ada asks", 2)
    assert [each["text"] for each in shown["replies"]] == ["Bob approved", "It ended"]


def test_dms_are_opened(client: WebClient, workspace: Workspace) -> None:
    workspace.deactivate(BOB)

    opened = client.conversations_open(users=ADA, return_im=True)["channel"]
    assert (opened["id"], opened["is_im"], opened["user"]) == ("D02ADA", True, ADA)
    assert client.conversations_open(channel="D02ADA")["channel"]["id"] == "D02ADA"
    for args, error in (
        ({"users": BOB}, "user_disabled"),
        ({"users": "U99NOBODY"}, "user_not_found"),
        ({"users": ""}, "users_list_not_supplied"),
        ({"users": f"{ADA},{CAROL}"}, "missing_scope"),
        ({"channel": CHANNEL}, "method_not_supported_for_channel_type"),
    ):
        assert refused(client, "conversations.open", **args)["error"] == error


def test_what_a_channel_is(client: WebClient, workspace: Workspace) -> None:
    info = client.conversations_info(channel=CHANNEL, include_num_members=True)["channel"]
    assert (info["name"], info["is_member"], info["num_members"]) == ("db-access", True, 3)
    assert client.conversations_info(channel="D02ADA")["channel"]["is_im"]

    first = client.conversations_members(channel=CHANNEL, limit=2)
    cursor = first["response_metadata"]["next_cursor"]
    rest = client.conversations_members(channel=CHANNEL, limit=2, cursor=cursor)
    end = b64encode(b"after:4").decode()
    beyond = refused(client, "conversations.members", channel=CHANNEL, cursor=end)
    assert beyond["error"] == "invalid_cursor"
    assert first["members"] + rest["members"] == [ADA, BOB, BOT]
    assert rest["response_metadata"]["next_cursor"] == ""
    whole = client.conversations_members(channel=CHANNEL, limit=3)
    assert whole["response_metadata"]["next_cursor"] == ""


def test_all_flags_of_a_person(client: WebClient, workspace: Workspace) -> None:
    workspace.add_person(
        Person(
            id="U05GUEST",
            name="gus",
            real_name="Gus Guest",
            email="gus@partner.example",
            tz="Europe/Berlin",
            is_restricted=True,
            is_ultra_restricted=True,
            is_email_confirmed=False,
        )
    )
    gus = client.users_info(user="U05GUEST")["user"]
    assert (gus["name"], gus["real_name"], gus["tz"]) == ("gus", "Gus Guest", "Europe/Berlin")
    assert (gus["is_restricted"], gus["is_ultra_restricted"]) == (True, True)
    assert (gus["is_email_confirmed"], gus["deleted"], gus["is_bot"]) == (False, False, False)
    assert (gus["team_id"], gus["profile"]["email"]) == ("T0ROTAKEY", "gus@partner.example")
    assert client.users_info(user=BOT)["user"]["is_bot"]
    assert refused(client, "users.info", user="U99NOBODY")["error"] == "user_not_found"


def test_somebody_deactivated_is_known_but_not_found(client: WebClient, workspace: Workspace) -> None:
    assert client.users_lookupByEmail(email="BOB@example.com")["user"]["id"] == BOB
    workspace.deactivate(BOB)

    assert client.users_info(user=BOB)["user"]["deleted"]
    answer = refused(client, "users.lookupByEmail", email="bob@example.com")
    assert answer["error"] == "users_not_found"


def test_people_come_page_by_page_and_strangers_do_not(client: WebClient, workspace: Workspace) -> None:
    workspace.add_person(Person(id="U09EVE", name="eve", email="eve@elsewhere.example", team_id="T09ELSE"))
    seen = [user["id"] for page in client.users_list(limit=2) for user in page["members"]]

    assert seen == [BOT, "USLACKBOT", ADA, BOB, CAROL]
    assert client.users_info(user="U09EVE")["user"]["team_id"] == "T09ELSE"
    found = refused(client, "users.lookupByEmail", email="eve@elsewhere.example")
    assert found["error"] == "users_not_found"
    assert refused(client, "users.list", cursor="?")["error"] == "invalid_cursor"
    assert refused(client, "users.list", limit="0")["error"] == "invalid_limit"


def test_groups_and_who_is_in_them(client: WebClient, workspace: Workspace) -> None:
    (dba,) = client.usergroups_list(include_users=True)["usergroups"]
    assert (dba["id"], dba["handle"], dba["users"]) == ("S01DBA", "dba", [BOB])

    workspace.set_group("S01DBA", (ADA, CAROL))
    assert client.usergroups_users_list(usergroup="S01DBA")["users"] == [ADA, CAROL]
    unknown = refused(client, "usergroups.users.list", usergroup="S99NONE")
    assert unknown["error"] == "no_such_subteam"


def test_calls_are_written_down(client: WebClient, workspace: Workspace) -> None:
    client.chat_postMessage(channel=CHANNEL, text="x")

    (call,) = workspace.calls
    assert (call.method, call.status, call.answer["ok"]) == ("chat.postMessage", 200, True)
    assert call.args == {"channel": CHANNEL, "text": "x"}


def test_views_need_a_live_trigger() -> None:
    now = [1_763_719_200.0]
    workspace = inhabited(clock=lambda: now[0])
    with slack(workspace) as client:
        tokens = workspace.tokens
        first, second = tokens.trigger(ADA), tokens.trigger(ADA)
        assert client.views_open(trigger_id=first, view=FORM)["view"]["type"] == "modal"
        now[0] += 3.0

        for trigger, error in (
            (first, "exchanged_trigger_id"),
            (second, "expired_trigger_id"),
            ("1337.1.abc", "invalid_trigger_id"),
        ):
            answer = refused(client, "views.open", trigger_id=trigger, view=json.dumps(FORM))
            assert answer["error"] == error


def test_a_view_is_updated_by_its_hash(client: WebClient, workspace: Workspace) -> None:
    opened = client.views_open(trigger_id=workspace.tokens.trigger(ADA), view=FORM)["view"]
    assert (opened["clear_on_close"], opened["notify_on_close"]) == (False, False)
    renamed = {**FORM, "title": {"type": "plain_text", "text": "Once more"}}

    changed = client.views_update(view_id=opened["id"], hash=opened["hash"], view=renamed)["view"]
    assert changed["title"]["text"] == "Once more"
    late = {"view_id": opened["id"], "hash": opened["hash"], "view": json.dumps(FORM)}
    assert refused(client, "views.update", **late)["error"] == "hash_conflict"

    workspace.close_view(ADA)
    assert refused(client, "views.update", **late)["error"] == "not_found"


def test_views_that_are_refused(client: WebClient, workspace: Workspace) -> None:
    trigger = workspace.tokens.trigger(ADA)
    wrong = {**FORM, "title": {"type": "plain_text", "text": "x" * 25}}
    answer = refused(client, "views.open", trigger_id=trigger, view=json.dumps(wrong))

    assert answer["error"] == "invalid_arguments"
    assert answer["errors"] == ["must be less than 25 characters [json-pointer:/view/title/text]"]
    named = {**FORM, "external_id": "only-one"}
    client.views_open(trigger_id=trigger, view=named)
    again = {"trigger_id": workspace.tokens.trigger(BOB), "view": json.dumps(named)}
    assert refused(client, "views.open", **again)["error"] == "duplicate_external_id"


def test_a_stack_of_modals_is_three_deep(client: WebClient, workspace: Workspace) -> None:
    tokens = workspace.tokens
    bottom = client.views_open(trigger_id=tokens.trigger(ADA), view=FORM)["view"]
    client.views_push(trigger_id=tokens.trigger(ADA), view=FORM)
    top = client.views_push(trigger_id=tokens.trigger(ADA), view=FORM)["view"]

    assert top["root_view_id"] == bottom["id"]
    one_more = {"trigger_id": tokens.trigger(ADA), "view": json.dumps(FORM)}
    assert refused(client, "views.push", **one_more)["error"] == "push_limit_reached"


def test_a_home_is_published_if_the_manifest_has_one(client: WebClient) -> None:
    home = {"type": "home", "blocks": CARD}
    first = client.views_publish(user_id=ADA, view=home)["view"]
    second = client.views_publish(user_id=ADA, view=home, hash=first["hash"])["view"]
    assert first["id"] == second["id"]
    late = {"user_id": ADA, "view": json.dumps(home), "hash": first["hash"]}
    assert refused(client, "views.publish", **late)["error"] == "hash_conflict"
    nobody = {"user_id": "U99NOBODY", "view": json.dumps(home)}
    assert refused(client, "views.publish", **nobody)["error"] == "invalid_arguments"

    features = {**MANIFEST["features"], "app_home": {"home_tab_enabled": False}}
    with slack(inhabited({**MANIFEST, "features": features})) as homeless:
        answer = refused(homeless, "views.publish", user_id=ADA, view=json.dumps(home))
        assert answer["error"] == "not_enabled"
