"""A real Chromium, without network, that opens rendered pages as files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from orbit_release.report.page import render
from tests.pages import orbit

HOSTILE = (
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">\u202e\x1b{{ 7 * 7 }}"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A page in the browser; what it asked for beside its own file, and what it complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.fail("no Chromium: run scripts/test", pytrace=False)
    with sync_playwright() as driver:
        # Root has no sandbox, and the page is our own.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the rendered report of Orbit, with a hostile subject and author."""
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_text(render(orbit(HOSTILE)), encoding="utf-8")
    return path


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Open]:
    """Return a function that opens the report (or another file) in a context of its own."""
    contexts = []

    def opened(path: Path = report, **options: object) -> Opened:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(600_000)  # a busy machine takes its time
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.goto(path.as_uri())
        found.requests.remove(path.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()
