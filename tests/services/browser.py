"""A headless Chromium, where the system has one."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 60  # for anything to appear: these pages are slow where everything else runs on the same cores

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@contextmanager
def open_page(settings: Mapping[str, str] | None = None) -> Iterator[Page]:
    """An empty page, in a browser that knows nothing of the pages before; with the services' settings, whoever sits
    there has MLflow's login."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to make its sandbox for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=as_root)
        try:
            page = browser.new_page(
                viewport={"width": 1400, "height": 1000},
                http_credentials=settings
                and {
                    "origin": settings["MLFLOW_TRACKING_URI"],
                    "username": settings["MLFLOW_TRACKING_USERNAME"],
                    "password": settings["MLFLOW_TRACKING_PASSWORD"],
                },
            )
            page.set_default_timeout(SECONDS * 1000)
            yield page
        finally:
            browser.close()


def go(page: Page, settings: Mapping[str, str], path: str) -> None:
    """Open one of Prefect's pages by way of its login."""
    page.goto(f"{settings['PREFECT_API_URL'].removesuffix('/api')}/login?redirect={path}")
    page.get_by_placeholder("admin:pass").fill(settings["PREFECT_API_AUTH_STRING"])
    page.get_by_role("button", name="Login", exact=True).click()
