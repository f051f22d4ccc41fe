"""Take README.md's picture of a running sandbox in Chromium: ``python -m tests.bench.picture``."""

from __future__ import annotations

import shutil
import sys

from playwright.sync_api import Page, expect, sync_playwright

from tests.paths import ROOT
from tests.sandbox.running import running_sandbox

PICTURE = ROOT / "docs" / "sandbox.png"
WINDOW = {"width": 1440, "height": 900}
WHY_ADA = "/access request prod-db 2m because orders 1002 and 1003 are stuck"
WHY_CAROL = "/access request prod-db 4h because the night's import left a gap"
WHY_DAN = "/access request prod-db 1m because a customer waits for a refund"


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no chromium and no google-chrome on the PATH")
    with sync_playwright() as playwright, running_sandbox() as sandbox:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=WINDOW, device_scale_factor=1, locale="en-GB")  # type: ignore[arg-type]
        page.goto(f"{sandbox.url}/?me=U02ADA")
        fill_page(page)
        PICTURE.parent.mkdir(exist_ok=True)
        page.screenshot(path=PICTURE, animations="disabled")
        browser.close()
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size // 1024} KB\n")


def fill_page(page: Page) -> None:
    """Let Ada get access because she is on call, Dan because Bob approves, and leave Carol's request open."""
    messages = page.locator("#messages")
    type_line(page, WHY_ADA)
    expect(page.locator("#targets .role", has_text="orders_rw")).to_contain_text("ada")
    become(page, "Dan")
    type_line(page, WHY_DAN)
    become(page, "Bob")
    messages.get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator("#targets .role", has_text="orders_rw")).to_contain_text("dan")
    expect(messages).to_contain_text("@Dan has prod-db until")
    become(page, "Carol")
    type_line(page, WHY_CAROL)
    become(page, "Bob")
    expect(messages).to_contain_text("@Carol requests prod-db")
    page.mouse.move(700, 880)
    expect(page.locator("#leases .lease", has_text="Dan → prod-db")).to_contain_text("40s", timeout=30_000)


def type_line(page: Page, line: str) -> None:
    page.locator("#composer textarea").fill(line)
    page.keyboard.press("Enter")


def become(page: Page, name: str) -> None:
    page.locator("#switcher").get_by_role("button", name=name).click()
    expect(page.locator(".me-name")).to_contain_text(name)


if __name__ == "__main__":
    main()
