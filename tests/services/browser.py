"""A headless Chromium, where the system has one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 60  # for anything to appear: these pages are slow where everything else runs on the same cores

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@contextmanager
def open_page() -> Iterator[Page]:
    """An empty page, in a browser that knows nothing of the pages before."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to make its sandbox for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=as_root)
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(SECONDS * 1000)
            yield page
        finally:
            browser.close()
