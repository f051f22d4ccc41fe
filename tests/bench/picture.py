"""Take the picture for README.md, of a running sandbox in Chromium: ``python -m tests.bench.picture``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from bot.cli import to_try
from bot.sandbox.run import POLICY, Sandbox, forget
from tests.paths import ROOT

PICTURE = ROOT / "docs" / "sandbox.png"
WINDOW = {"width": 1440, "height": 900}
WHY_ADA = "/access request prod-db 2m because orders 1002 and 1003 are stuck"
WHY_CAROL = "/access request prod-db 4h because the night's import left a gap"
WHY_DAN = "/access request prod-db 1m because a customer waits for a refund"


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no chromium and no google-chrome on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "sandbox"
        with sync_playwright() as playwright, Sandbox(to_try(POLICY), data) as sandbox:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport=WINDOW, device_scale_factor=1, locale="en-GB")  # type: ignore[arg-type]
            page.goto(f"{sandbox.url}/?me=U02ADA")
            play(page)
            PICTURE.parent.mkdir(exist_ok=True)
            page.screenshot(path=PICTURE, animations="disabled")
            browser.close()
        forget(data)
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size // 1024} KB\n")


def play(page: Page) -> None:
    """Ada has hers by being on call, Dan has his by Bob's word, and Carol's request waits for Bob."""
    messages = page.locator("#messages")
    types(page, WHY_ADA)
    expect(page.locator("#database .role", has_text="orders_rw")).to_contain_text("ada")
    become(page, "Dan")
    types(page, WHY_DAN)
    become(page, "Bob")
    messages.get_by_role("button", name="Approve", exact=True).click()
    expect(page.locator("#database .role", has_text="orders_rw")).to_contain_text("dan")
    expect(messages).to_contain_text("@Dan has prod-db until")
    become(page, "Carol")
    types(page, WHY_CAROL)
    become(page, "Bob")
    expect(messages).to_contain_text("@Carol requests prod-db")
    page.mouse.move(700, 880)
    expect(page.locator("#leases .lease", has_text="Dan → prod-db")).to_contain_text("40s", timeout=30_000)


def types(page: Page, line: str) -> None:
    page.locator("#composer textarea").fill(line)
    page.keyboard.press("Enter")


def become(page: Page, name: str) -> None:
    page.locator("#switcher").get_by_role("button", name=name).click()
    expect(page.locator(".me-name")).to_contain_text(name)


if __name__ == "__main__":
    main()
