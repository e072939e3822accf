"""A real Chromium of the size of a phone, for tests of pages. It is told to fetch nothing of its own."""

import contextlib
import os
import tempfile
from collections.abc import Iterator

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

_QUIET = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@contextlib.contextmanager
def chromium(program: str, driver: str, width: int = 390, height: int = 844) -> Iterator[Chrome]:
    """A browser that is gone afterwards.

    Args:
        program: path of Chromium.
        driver: path of its ChromeDriver.
        width: of the page, in CSS pixels.
        height: of it.
    """
    options = ChromeOptions()
    options.binary_location = program
    for option in _QUIET:
        options.add_argument(option)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses its sandbox to root
    with tempfile.TemporaryDirectory() as profile:
        options.add_argument(f"--user-data-dir={profile}")
        browser = Chrome(options=options, service=Service(driver))
        try:
            # A window may not be as narrow as a phone; the emulated screen may.
            browser.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True},
            )
            yield browser
        finally:
            browser.quit()
