"""The page as people use it, in a real browser."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from bot.doubles.slack.model import Json, Message
from tests.sandbox.page.stand_in import (
    ADA,
    BOB,
    CHANNEL,
    DAN,
    World,
    actions,
    button,
    context,
    field_for,
    mrkdwn,
    plain,
    request_form,
    section,
    sure,
)

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HACK = "<img src=x onerror=\"window.hacked='yes'\">"
ASK = "/access request prod-db 2m because orders are stuck"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium and no google-chrome on the PATH to show the page in"
)


class Silent(WSGIRequestHandler):
    def log_request(self, *_: object, **__: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def server(world: World) -> Iterator[BaseWSGIServer]:
    app = Flask(__name__)
    app.register_blueprint(world.routes())
    served = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=served.serve_forever, args=(0.02,))
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, server: BaseWSGIServer) -> Iterator[Visit]:
    """Yield a function that opens the page as somebody. The test fails if the browser complains."""
    complaints: list[str] = []
    contexts = []

    def go(me: str = ADA, **settings: Any) -> Page:
        settings = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **settings}
        contexts.append(chromium.new_context(**settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda line: complaints.append(line.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.server_port}/?me={me}")
        expect(page.locator("#switcher .pill")).to_have_count(4)
        return page

    yield go
    for each in contexts:
        each.close()
    assert [each for each in complaints if "status of 503" not in each] == []


def become(page: Page, name: str) -> None:
    page.locator("#switcher").get_by_role("button", name=name).click()
    expect(page.locator(".me-name")).to_contain_text(name)


def type_line(page: Page, line: str) -> None:
    page.locator("#composer textarea").fill(line)
    page.keyboard.press("Enter")


def steps_done(page: Page) -> Locator:
    return page.locator("#guide li.done")


def card(world: World, *blocks: Json) -> Message:
    return world.say(CHANNEL, "a card", list(blocks))


def test_a_newcomer_is_led_through_and_every_step_ticks_itself_off(visit: Visit, world: World) -> None:
    world.give(ADA, "schema-migration", "8h")
    page = visit()
    expect(page.locator("#leases")).to_contain_text("Ada → schema-migration")
    expect(steps_done(page)).to_have_count(0)
    page.locator("#guide .chip").click()
    expect(page.locator("#composer textarea")).to_be_focused()
    page.keyboard.press("Enter")
    expect(steps_done(page)).to_have_count(1)
    expect(page.locator("#targets .role.held", has_text="orders_rw")).to_contain_text("ada")
    page.get_by_role("button", name="Switch to Dan").click()
    page.locator("#guide .chip").click()
    expect(page.locator("#composer textarea")).to_be_focused()
    page.keyboard.press("Enter")
    expect(steps_done(page)).to_have_count(2)
    page.get_by_role("button", name="Switch to Bob").click()
    page.locator("#messages").get_by_role("button", name="Approve").click()
    expect(steps_done(page)).to_have_count(3)
    expect(page.locator("#leases")).to_contain_text("Dan → prod-db")
    world.clock.ahead += 3600
    expect(steps_done(page)).to_have_count(4)
    expect(page.locator("#targets")).to_contain_text(re.compile(r"dan gone at \d+:\d\d:\d\d"))
    expect(page.locator("#leases")).not_to_contain_text("prod-db")
    page.reload()
    expect(steps_done(page)).to_have_count(4)
    page.get_by_role("button", name="Start over").click()
    expect(steps_done(page)).to_have_count(0)


def test_the_guide_counts_only_what_happens_while_it_is_read(visit: Visit, world: World) -> None:
    world.clock.ahead = -60
    world.give(DAN, "prod-db", "4h")
    world.workspace.type_command(DAN, CHANNEL, "/access", "request prod-db 2m because x")
    world.clock.ahead = 0
    page = visit(DAN)
    expect(page.locator("#messages article.typed")).to_contain_text("request prod-db")
    expect(page.locator("#leases .lease")).to_have_count(1)
    expect(steps_done(page)).to_have_count(0)


def test_text_is_only_ever_text(visit: Visit, world: World) -> None:
    world.workspace.alter(DAN, real_name=HACK)
    world.say(CHANNEL, HACK)
    header, link = {"type": "header", "text": plain(HACK)}, context(f"<javascript:alert(1)|{HACK}> `{HACK}`")
    card(world, section(HACK), actions(button(HACK, "go", "1")), {"type": HACK}, header, link)
    world.show_home(BOB, section(HACK))
    world.show_view(BOB, request_form(title=HACK), reason=HACK)
    world.pager.add_user("PCAROL", HACK, "carol@example.com")
    world.observer.sessions[HACK] = 1
    page = visit(BOB)
    expect(page.locator("#scrim .input-error")).to_have_text(HACK)
    expect(page.locator("#messages article").first).to_contain_text(HACK)
    expect(page.locator("#messages .button")).to_have_text(HACK)
    expect(page.locator(".unsupported")).to_have_text(f"unsupported block: {HACK}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="rotakey Home").click()
    expect(page.locator("#home")).to_have_text(HACK)
    assert page.evaluate("[window.hacked, document.querySelectorAll('img[src=\"x\"]').length]") == [None, 0]
    assert page.locator("a[href^=javascript]").count() == 0


MRKDWN = [
    ("*bold* _it_ ~no~ `co*de*`", "<strong>bold</strong> <em>it</em> <s>no</s> <code>co*de*</code>"),
    ("*_both_* 2*3*4 snake_case_name", "<strong><em>both</em></strong> 2*3*4 snake_case_name"),
    ("a &lt;b&gt; &amp;amp; <not a link>", "a &lt;b&gt; &amp;amp; &lt;not a link&gt;"),
    ("<https://a.example/?x=1&amp;y=_2_|*here*>", '<a href="https://a.example/?x=1&amp;y=_2_">*here*</a>'),
    (
        "see https://a.example/b_c_d.",
        'see <a href="https://a.example/b_c_d">https://a.example/b_c_d</a>.',
    ),
    ("&gt; one\n&gt; *two*\nthree", "<blockquote>one\n<strong>two</strong></blockquote>three"),
    ("• one\n• two\nend", "<ul><li>one</li><li>two</li></ul>end"),
    ("x ```a *b*\n&lt;c&gt;``` y", "x <pre>a *b*\n&lt;c&gt;</pre> y"),
    ("<@U03BOB> <@U09X|zoe> <#C01DB>", "<b>@Bob</b> <b>@zoe</b> <b>#db-access</b>"),
    ("<!here> <!subteam^S01|@dba>", "<b>@here</b> <b>@dba</b>"),
    (":key: :white_check_mark: :nope: 10:30:45", "🔑 ✅ :nope: 10:30:45"),
]
SIMPLIFIED = """box => {
  const copy = box.cloneNode(true);
  for (const each of copy.querySelectorAll('.mention')) {
    const b = document.createElement('b'); b.textContent = each.textContent; each.replaceWith(b);
  }
  for (const each of copy.querySelectorAll('span')) each.replaceWith(...each.childNodes);
  const quiet = ['class', 'target', 'rel'];
  for (const each of copy.querySelectorAll('*')) quiet.forEach(name => each.removeAttribute(name));
  return copy.innerHTML;
}"""


def test_mrkdwn_is_drawn_as_slack_draws_it(visit: Visit, world: World) -> None:
    for text, _ in MRKDWN:
        world.say(CHANNEL, text)
    page = visit()
    drawn = page.locator("#messages .message-content")
    expect(drawn).to_have_count(len(MRKDWN))
    assert [each.evaluate(SIMPLIFIED) for each in drawn.all()] == [html for _, html in MRKDWN]


def fonts_of(page: Page, text: str) -> set[str]:
    """Return the fonts that the browser draws this text with."""
    page.get_by_text(text, exact=True).last.evaluate("each => each.id = 'looked-at'")
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    document = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": document, "selector": "#looked-at"})["nodeId"]
    found = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    page.evaluate("document.getElementById('looked-at').id = ''")
    return {each["familyName"] for each in found}


def test_digits_and_spaces_are_drawn_by_the_font_of_the_letters(visit: Visit, world: World) -> None:
    """An emoji font has wide digits and spaces, too, and must not be used for them if Lato is missing."""
    card(world, section("orders"), section("1 0 0 2"))
    page = visit()
    expect(page.locator("#messages")).to_contain_text("1 0 0 2")
    letters = fonts_of(page, "orders")
    assert len(letters) == 1
    assert fonts_of(page, "1 0 0 2") == letters


def test_dates_are_told_in_the_readers_zone(visit: Visit, world: World) -> None:
    world.clock.ahead = 1_800_003_600 - time.time()
    tokens = ("date_num", "date", "date_short", "date_long", "date_pretty", "time", "time_secs", "ago")
    for token in tokens:
        world.say(CHANNEL, f"<!date^1800000000^{{{token}}}|fallback>")
    world.say(CHANNEL, "<!date^1799900000^{date_short_pretty} at {time}^https://a.example/|f>")
    page = visit(timezone_id="Asia/Tokyo")
    drawn = page.locator("#messages .message-content")
    expect(drawn).to_have_text(
        [
            "2027-01-15",
            "January 15th, 2027",
            "Jan 15, 2027",
            "Friday, January 15th, 2027",
            "today",
            re.compile(r"^5:00\sPM$"),
            re.compile(r"^5:00:00\sPM$"),
            "1 hour ago",
            re.compile(r"^yesterday at 1:13\sPM$"),
        ]
    )
    expect(drawn.last.locator("a")).to_have_attribute("href", "https://a.example/")


def test_every_block_is_drawn_or_named(visit: Visit, world: World) -> None:
    words = {"type": "rich_text_section", "elements": [{"type": "user", "user_id": BOB}]}
    card(
        world,
        {"type": "header", "text": plain("Grant :lock:")},
        {"type": "section", "fields": [mrkdwn("*For*\n4h"), mrkdwn("*Until*\nnoon")]},
        {"type": "divider"},
        {"type": "image", "image_url": "https://a.example/x.png", "alt_text": "a chart"},
        {"type": "rich_text", "elements": [words]},
        {"type": "table", "rows": []},
        actions({"type": "external_select", "action_id": "e"}),
    )
    page = visit()
    message = page.locator("#messages article")
    expect(message.get_by_role("heading")).to_have_text("Grant 🔒")
    expect(message.locator(".field")).to_have_text(["For\n4h", "Until\nnoon"])
    expect(message.get_by_role("img", name="a chart")).to_be_visible()
    expect(message.locator(".block-rich_text")).to_have_text("@Bob")
    expect(message.locator(".unsupported")).to_have_text(
        ["unsupported block: table", "unsupported element: external_select"]
    )


def test_news_takes_neither_focus_nor_words_nor_the_place_one_reads(visit: Visit, world: World) -> None:
    for number in range(40):
        world.say(CHANNEL, f"line {number}\n" * 3)
    page = visit()
    expect(page.locator("#messages article")).to_have_count(40)
    scroller = page.locator("#scroller")
    page.set_viewport_size({"width": 1200, "height": 700})
    expect(page.get_by_text("line 39")).to_be_in_viewport(ratio=1)
    assert scroller.evaluate("it => it.scrollHeight - it.scrollTop - it.clientHeight") < 2
    scroller.evaluate("it => { it.scrollTop = 500 }")
    page.locator("#composer textarea").press_sequentially("/access req")
    world.say(CHANNEL, "something new")
    newer = page.get_by_role("button", name="New messages")
    expect(newer).to_be_visible()
    assert scroller.evaluate("it => it.scrollTop") == 500
    expect(page.locator("#composer textarea")).to_be_focused()
    expect(page.locator("#composer textarea")).to_have_value("/access req")
    newer.click()
    expect(page.get_by_text("something new")).to_be_in_viewport()
    expect(newer).to_be_hidden()


def test_a_card_is_drawn_anew_without_losing_the_focus_on_its_button(visit: Visit, world: World) -> None:
    said = card(world, section("asked"), actions(button("Approve", "approve", "1")))
    card(world, section("untouched"))
    page = visit(BOB)
    untouched = page.get_by_text("untouched").element_handle()
    approve = page.get_by_role("button", name="Approve")
    approve.focus()
    world.edit(said, [section("asked again"), *said.blocks[1:]])
    expect(page.locator("#messages article").first).to_contain_text("asked again")
    expect(page.locator("#messages article").first).to_contain_text("(edited)")
    expect(approve).to_be_focused()
    assert untouched.evaluate("it => it.isConnected")


def test_what_is_said_to_ada_alone_is_marked_and_unread_for_nobody_else(visit: Visit, world: World) -> None:
    page = visit(BOB)
    world.say("D02ADA", "You have prod-db.")
    world.say("D02ADA", "Until noon.")
    world.say(CHANNEL, "Only Ada may read this.", only_for=ADA)
    waits = page.get_by_role("img", name="has unread messages")
    expect(page.get_by_role("button", name="Ada").locator(waits)).to_be_visible()
    expect(waits).to_have_count(1)
    assert page.get_by_text("Only Ada may read this.").count() == 0
    become(page, "Ada")
    alone = page.locator("#messages article.ephemeral")
    expect(alone).to_contain_text("Only visible to you")
    dm = page.locator("#sidebar").get_by_role("button", name="rotakey", exact=False).first
    expect(dm.locator(".count")).to_have_text("2")
    dm.click()
    expect(page.get_by_text("Until noon.")).to_be_visible()
    expect(page.locator("#sidebar .count")).to_have_count(0)
    become(page, "Bob")
    expect(waits).to_have_count(0)


def test_a_dangerous_button_asks_first(visit: Visit, world: World) -> None:
    said = card(world, actions(button("Deny", "deny", "d1", style="danger", confirm=sure())))
    page = visit(BOB)
    deny = page.locator("#messages").get_by_role("button", name="Deny")
    deny.click()
    expect(page.get_by_role("dialog")).to_contain_text("They will be told.")
    page.get_by_role("button", name="Not yet").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert world.clicks == []
    deny.click()
    with page.expect_response("**/sandbox/click"):
        page.get_by_role("dialog").get_by_role("button", name="Deny").click()
    assert world.clicks == [(BOB, CHANNEL, said.ts, "deny", "buttons", "d1")]


def test_a_press_that_fails_says_so_under_the_message(visit: Visit, world: World) -> None:
    card(world, actions(button("Approve", "approve", f"{DAN} prod-db 2m")))
    world.workspace.connect(None)
    page = visit(BOB)
    page.locator("#messages").get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert").get_by_text("That did not work: dispatch_failed")).to_be_visible()
    world.workspace.connect(world.url)
    page.locator("#messages").get_by_role("button", name="Approve").click()
    expect(page.locator("#leases")).to_contain_text("Dan → prod-db")


def test_menus_tell_what_was_chosen(visit: Visit, world: World) -> None:
    hours = [{"text": plain(each), "value": each} for each in ("1h", "4h")]
    card(
        world,
        actions(
            {"type": "static_select", "action_id": "shorter", "options": hours, "placeholder": plain("Less")},
            {"type": "users_select", "action_id": "who", "placeholder": plain("Who")},
            {"type": "datetimepicker", "action_id": "when"},
            {"type": "checkboxes", "action_id": "boxes", "options": hours},
            {"type": "overflow", "action_id": "more", "options": hours},
        ),
    )
    page = visit(BOB, timezone_id="UTC")
    message = page.locator("#messages article")

    def choice_after(act: Callable[[], object]) -> tuple[Any, ...]:
        with page.expect_response("**/sandbox/click"):
            act()
        return world.clicks[-1][-3:]

    picked = choice_after(lambda: message.get_by_label("Less").select_option("4h"))
    assert picked == ("shorter", "buttons", "4h")
    assert choice_after(lambda: message.get_by_label("Who").select_option(DAN))[2] == DAN
    when = message.locator("input[type=datetime-local]")
    when.fill("2027-01-15T08:00")
    assert choice_after(when.blur)[2] == 1_800_000_000
    assert choice_after(message.get_by_role("checkbox", name="4h").check)[2] == ["4h"]
    message.get_by_role("button", name="More actions").click()
    page.keyboard.press("ArrowDown")
    assert choice_after(lambda: page.keyboard.press("Enter")) == ("more", "buttons", "4h")


def test_a_form_is_filled_in_and_sent_as_slack_sends_it(visit: Visit, world: World) -> None:
    options = [{"text": plain("Tell me"), "value": "tell"}]
    form = request_form(
        field_for("tell", "Extras", {"type": "checkboxes", "options": options}, optional=True),
        field_for("pick", "Way", {"type": "radio_buttons", "options": options}),
    )
    page = visit(DAN)
    world.show_view(DAN, form)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Resource").select_option("prod-db")
    dialog.get_by_role("button", name="Request").click()
    expect(dialog.get_by_text("Please complete this required field.")).to_have_count(2)
    assert world.submissions == []
    dialog.get_by_label("Why").fill("orders are stuck")
    dialog.get_by_role("radio").check()
    dialog.get_by_role("button", name="Request").click()
    expect(dialog).to_have_count(0)
    chosen = {"text": plain("prod-db"), "value": "prod-db"}
    assert world.submissions == [
        {
            "resource": {"it": {"type": "static_select", "selected_option": chosen}},
            "length": {"it": {"type": "plain_text_input", "value": "4h"}},
            "reason": {"it": {"type": "plain_text_input", "value": "orders are stuck"}},
            "tell": {"it": {"type": "checkboxes", "selected_options": []}},
            "pick": {"it": {"type": "radio_buttons", "selected_option": options[0]}},
        }
    ]


def test_a_form_keeps_what_was_typed_when_the_bot_changes_it(visit: Visit, world: World) -> None:
    page = visit(DAN)
    world.show_view(DAN, request_form())
    why = page.get_by_role("dialog").get_by_label("Why")
    why.press_sequentially("orders are")
    world.show_view(DAN, request_form(), length="At most 12h.")
    expect(page.locator(".input-error")).to_have_text("At most 12h.")
    expect(why).to_be_focused()
    page.keyboard.type(" stuck")
    expect(why).to_have_value("orders are stuck")


def test_an_open_form_waits_for_its_owner_and_escape_closes_it(visit: Visit, world: World) -> None:
    page = visit(DAN)
    world.show_view(DAN, request_form())
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert page.locator("#place").evaluate("it => it.inert")
    become(page, "Bob")
    expect(dialog).to_have_count(0)
    become(page, "Dan")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert world.workspace.view(DAN) is None
    assert not page.locator("#place").evaluate("it => it.inert")


def test_whoever_is_quicker_than_the_switch_loses_nothing_and_sends_nothing(
    visit: Visit, world: World
) -> None:
    world.give(ADA, "prod-db", "2m")
    page = visit(ADA)
    held: list[Route] = []
    page.locator("#composer textarea").fill("/access list")
    page.route("**/sandbox/state?me=U05DAN*", lambda route: held.append(route))  # noqa: PLW0108 -- a builtin cannot be marked
    with page.expect_request("**/sandbox/state?me=U05DAN*"):
        page.get_by_role("button", name="Switch to Dan").click()
    page.locator("#guide .chip").click()
    page.locator("#composer textarea").press("Enter")
    expect(page.locator(".me-name")).to_have_text("Ada Okafor")
    held[0].continue_()
    expect(page.locator(".me-name")).to_have_text("Dan Weiss")
    expect(page.locator("#composer textarea")).to_be_focused()
    expect(page.locator("#composer textarea")).to_have_value(re.compile("^/access request"))
    assert world.commands == []


def test_home_tells_the_app_that_somebody_looks(visit: Visit, world: World) -> None:
    page = visit(DAN)
    page.get_by_role("button", name="rotakey Home").click()
    expect(page.locator("#home")).to_contain_text("Nothing here yet.")
    world.show_home(DAN, section("*You have prod-db*", accessory=button("Done", "done", "k3f9")))
    with page.expect_response("**/sandbox/click"):
        page.locator("#home").get_by_role("button", name="Done").click()
    assert world.homes_opened == [DAN]
    assert world.clicks == [(DAN, "home", "done", "words", "k3f9")]


def test_the_composer_hints_remembers_and_refuses_chatter(visit: Visit, world: World) -> None:
    page = visit(DAN)
    field = page.locator("#composer textarea")
    field.press_sequentially("/ac")
    expect(page.locator("#hints")).to_contain_text(world.workspace.app.commands["/access"]["description"])
    page.keyboard.press("Tab")
    expect(field).to_have_value("/access ")
    page.keyboard.type("list")
    page.keyboard.press("Enter")
    expect(page.locator("#messages article.typed")).to_contain_text("/access list")
    type_line(page, "hello everybody")
    expect(page.locator("#composer [role=alert]")).to_have_text(
        "Only commands work here. Type / to see them."
    )
    expect(field).to_have_value("hello everybody")
    field.fill("")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(field).to_have_value("/access list")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_value("hello everybody")


def test_everybody_keeps_their_own_draft_and_gets_their_own_examples(visit: Visit, world: World) -> None:
    page = visit(ADA)
    chips, field = page.locator("#composer .chip"), page.locator("#composer textarea")
    expect(chips.first).to_contain_text("/access request prod-db")
    field.fill("/access mi")
    become(page, "Bob")
    expect(chips.first).to_have_text("/access who prod-db")
    expect(field).to_have_value("")
    become(page, "Ada")
    expect(field).to_have_value("/access mi")


def test_the_panel_tells_what_the_database_says(visit: Visit, world: World) -> None:
    world.give(ADA, "prod-db", "4h")
    world.observer.sessions = {"ada": 2, "dan": 1}
    page = visit()
    role = page.locator("#targets .role.held")
    expect(role).to_contain_text("by rotakey")
    expect(role).to_contain_text("2 live sessions")
    expect(page.locator("#targets")).to_contain_text("Also connected, without a role: dan (1)")
    world.observer.error = "connection refused"
    expect(page.locator("#targets")).to_contain_text("Cannot be read: connection refused")
    world.observer.error = None
    expect(page.locator("#targets")).not_to_contain_text("Cannot be read")
    expect(page.locator("#targets .gone")).to_have_count(0)


def test_every_target_has_a_card_with_what_is_left_of_each_lease(visit: Visit, world: World) -> None:
    world.give(ADA, "prod-db", "4h")
    world.give(ADA, "schema-migration", "8h")
    dans = world.give(DAN, "deploy-admin", "2h")
    page = visit()
    orders, deploys = page.locator("#targets .card").all()
    expect(orders.get_by_role("heading")).to_have_text("PostgreSQL orders-db")
    expect(deploys.get_by_role("heading")).to_have_text("Endpoint deploy-hook")
    expect(orders.locator(".role", has_text="orders_rw")).to_contain_text(re.compile(r"(4h 00m|3h 59m)$"))
    expect(orders.locator(".role", has_text="migrator")).to_contain_text(re.compile(r"(8h 00m|7h 59m)$"))
    expect(deploys.locator(".member")).to_have_text(re.compile(r"dan.*by rotakey.*(2h 00m|1h 59m)"))
    world.observer.error = "connection refused"
    expect(orders).to_contain_text("Cannot be read: connection refused")
    dans.until = world.clock.now() - 1
    expect(deploys.locator(".role")).to_contain_text(re.compile(r"admin.*nobody.*dan gone at"))
    expect(orders).not_to_contain_text("gone at")


def test_a_lease_with_no_end_has_no_countdown_at_the_target(visit: Visit, world: World) -> None:
    world.give(ADA, "prod-db", "4h").until = None
    page = visit()
    expect(page.locator("#leases .lease")).to_contain_text("no end")
    expect(page.locator("#targets .member")).to_contain_text("by rotakey")
    expect(page.locator("#targets .countdown")).to_have_count(0)


def test_who_left_while_the_database_was_silent_is_gone_when_it_speaks_again(
    visit: Visit, world: World
) -> None:
    world.clock.ahead = 1_800_000_000 - time.time()
    world.give(DAN, "prod-db", "1h")
    page = visit(timezone_id="UTC")
    expect(page.locator("#targets .member")).to_contain_text("dan")
    world.observer.error = "connection refused"
    expect(page.locator("#targets")).to_contain_text("Cannot be read: connection refused")
    world.clock.ahead += 2 * 3600
    world.observer.error = None
    expect(page.locator("#targets .gone")).to_contain_text("dan gone at 10:0")


def test_a_lease_counts_down_by_the_servers_clock(visit: Visit, world: World) -> None:
    world.clock.ahead = 86_400 * 30
    world.give(ADA, "prod-db", "2h")
    world.give(DAN, "schema-migration", "4h").until = None
    page = visit()
    ada, dan = page.locator("#leases .lease").all()
    expect(ada.locator(".countdown")).to_have_text(re.compile(r"^(2h 00m|1h 59m)$"))
    expect(dan).to_contain_text("no end")
    wide = ada.locator(".bar-left").bounding_box()
    world.clock.ahead += 2 * 3600 - 50
    expect(ada.locator(".countdown")).to_have_text(re.compile(r"^[45]\ds$"))
    page.wait_for_function(
        "wide => document.querySelector('.bar-left').getBoundingClientRect().width < wide / 50",
        arg=wide["width"] if wide else 0,
    )
    expect(page.locator("#leases")).not_to_contain_text("2h")


def test_shifts_are_moved_and_the_strip_says_who_is_on_call(visit: Visit, world: World) -> None:
    page = visit()
    on_call = page.locator("#switcher .pill", has_text="on call")
    expect(on_call).to_contain_text("Ada")
    panel = page.locator("#pager")
    expect(panel).to_contain_text("next: Carol")
    panel.get_by_role("combobox").select_option(DAN)
    panel.get_by_role("button", name="Hand over").click()
    expect(on_call).to_contain_text("Dan")
    expect(panel.get_by_role("combobox")).to_have_value(DAN)
    panel.get_by_role("button", name="End the shift of Orders database, primary").click()
    expect(on_call).to_have_count(0)
    expect(panel).to_contain_text("Nobody is on call.")
    panel.get_by_role("combobox").select_option(BOB)
    panel.get_by_role("button", name="2 min").click()
    expect(on_call).to_contain_text("Bob")
    expect(panel.locator(".countdown")).to_have_text(re.compile(r"^(2m 00s|1m \d\ds)$"))
    [shift] = world.shifts()
    assert shift["end"] - shift["start"] == 120


def test_things_are_broken_and_mended(visit: Visit, world: World) -> None:
    page = visit()
    panel = page.locator("#faults")
    panel.get_by_text("Break things").click()
    for name in ("Slack is down", "Slack is slow", "Slack refuses", "Slack delivers", "PagerDuty is down"):
        panel.get_by_role("switch", name=name).click()
    expect(panel).to_contain_text("5 broken")
    faults = {"down": True, "slow": 2, "limited": 5, "twice": True}
    assert world.workspace.state(ADA)["faults"] == faults
    assert world.pager.faults.down
    panel.get_by_role("switch", name="Slack is down").click()
    expect(panel).to_contain_text("4 broken")
    assert not world.workspace.faults.down
    world.workspace.faults.limited = 2
    expect(panel).to_contain_text("Slack refuses the next 2 calls")


@pytest.mark.parametrize(("width", "height"), [(1100, 760), (1440, 900), (1920, 1080)])
def test_the_page_itself_never_scrolls(visit: Visit, world: World, width: int, height: int) -> None:
    for person in (ADA, DAN):
        world.give(person, "prod-db", "4h")
    card(world, section("word " * 400), actions(*[button(f"Button {n}", "go", str(n)) for n in range(9)]))
    page = visit(viewport={"width": width, "height": height})
    expect(page.locator("#messages article")).to_have_count(1)
    sizes = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert page.evaluate(sizes) == [width, height]
    for part in ("#sidebar", "#place", "#truth", "#scroller", "#strip"):
        assert page.locator(part).evaluate("it => it.scrollWidth <= it.clientWidth"), part


def test_on_a_phone_everything_is_below_each_other(visit: Visit, world: World) -> None:
    world.give(ADA, "prod-db", "4h")
    card(world, section("word " * 400), actions(*[button(f"Button {n}", "go", str(n)) for n in range(9)]))
    page = visit(viewport={"width": 390, "height": 844})
    expect(page.locator("#messages article")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for part in ("#place", "#truth", "#scroller", "#composer"):
        assert page.locator(part).evaluate("it => it.scrollWidth <= it.clientWidth"), part
    page.locator("#faults").scroll_into_view_if_needed()
    expect(page.locator("#faults summary")).to_be_in_viewport()
    expect(page.locator("#switcher")).to_be_in_viewport()


def test_every_control_has_a_name_and_the_keyboard_reaches_it(visit: Visit, world: World) -> None:
    world.workspace.type_command(DAN, CHANNEL, "/access", "request prod-db 2m because x")
    page = visit(BOB)
    expect(page.locator("#messages article")).to_have_count(1)
    named = "it.textContent.trim() || it.getAttribute('aria-label') || it.labels?.length"
    wrong = f"every => every.filter(it => it.tabIndex < 0 || !({named})).map(it => it.outerHTML)"
    assert page.locator("button, select, input, textarea").evaluate_all(wrong) == []
    assert page.locator("[onclick], div[tabindex='0'], span[tabindex='0']").count() == 0
    expect(page.get_by_role("log", name="Messages")).to_have_attribute("aria-live", "polite")


def test_the_page_says_when_nobody_answers(visit: Visit, server: BaseWSGIServer, world: World) -> None:
    page = visit()
    page.route("**/sandbox/**", lambda route: route.fulfill(status=503, body="down"))
    expect(page.locator("#link")).to_have_text("The sandbox does not answer. Trying again…")
    page.unroute("**/sandbox/**")
    expect(page.locator("#link")).to_have_text("")


def test_two_windows_are_two_people(visit: Visit, world: World) -> None:
    dan, bob = visit(DAN), visit(BOB)
    type_line(dan, ASK)
    bob.locator("#messages").get_by_role("button", name="Approve").click()
    expect(dan.locator("#messages")).to_contain_text("Approved by @Bob")
    expect(dan.locator("#leases")).to_contain_text("Dan → prod-db")
