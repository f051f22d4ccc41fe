"""The newcomer's path through the sandbox's page, in a real browser on real parts."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bot.cli.sandbox import to_try
from tests.e2e.rig import Rig, rig_in

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium and no google-chrome on the PATH to show the page in"
)
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Yield the sandbox as `rotakey sandbox` starts it: with its own policy."""
    with rig_in(tmp_path_factory.mktemp("untouched"), to_try()) as rig:
        yield rig


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def ask(page: Page, seconds: int) -> None:
    """Send the request that the guide proposes, but for only that many seconds."""
    page.locator("#guide .chip").click()
    composer = page.locator("#composer textarea")
    expect(composer).to_have_value("/access request prod-db 1m because orders are stuck")
    composer.fill(f"/access request prod-db {seconds}s because orders are stuck")
    page.keyboard.press("Enter")


def test_a_newcomer_follows_the_guide_and_sees_it_all_come_true(untouched: Rig, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(untouched.sandbox.url)
    role = page.locator("#targets .role", has_text="orders_rw")
    leases, done = page.locator("#leases"), page.locator("#guide li.done")
    expect(leases).to_contain_text("Ada → orders-on-call")
    ask(page, 5)
    expect(role).to_contain_text("ada")
    for left in ("3s", "2s"):
        expect(leases.locator(".lease", has_text="Ada → prod-db")).to_contain_text(left)
    expect(done).to_have_count(1)
    page.get_by_role("button", name="Switch to Dan").click()
    ask(page, 5)
    expect(done).to_have_count(2)
    page.get_by_role("button", name="Switch to Bob").click()
    page.locator("#messages").get_by_role("button", name="Approve", exact=True).click()
    expect(role).to_contain_text("dan")
    expect(leases).to_contain_text("Dan → prod-db")
    expect(page.locator("#messages")).to_contain_text("@Dan has prod-db until")
    expect(done).to_have_count(4)
    expect(leases).not_to_contain_text("prod-db")
    assert untouched.members("orders_rw") == set()
    expect(page.locator("#messages")).to_contain_text("@Dan's prod-db ended")
    assert complaints == []
    page.close()
