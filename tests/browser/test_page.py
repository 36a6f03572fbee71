"""The report in a real browser: it renders, sorts, copies, complains about nothing and asks nobody for anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from orbit_release.planning.actions import Action
from orbit_release.releases.timeline import Stretch
from orbit_release.report.page import render
from tests import pages
from tests.browser.conftest import HOSTILE, Open, Opened

PHONE = {"width": 360, "height": 740}
ORDER = list(pages.NAMES)


def services(page: Page) -> list[str]:
    return page.locator(".services tbody th").all_inner_texts()


def values(page: Page, cells: str) -> list[int]:
    found: list[int] = page.locator(cells).evaluate_all("cells => cells.map(cell => Number(cell.dataset.value))")
    return found


def header(page: Page, name: str, table: str = ".services") -> Locator:
    return page.locator(f"{table} thead th", has_text=name)


def quiet(found: Opened) -> bool:
    """Whether nothing was asked for, also after all is loaded, and nothing was complained about."""
    found.page.wait_for_load_state("networkidle")
    return found.requests == found.complaints == []


def test_it_shows_everything_and_asks_for_nothing(opened: Open) -> None:
    found = opened()
    assert services(found.page) == ORDER
    assert found.page.locator(".timeline g.mark").count() == found.page.locator(".releases tbody tr").count() - len(
        ORDER
    )
    assert found.page.locator(".figures article").count() == 4
    assert quiet(found)


@pytest.mark.parametrize(
    "tag",
    [
        "<link rel=stylesheet href=https://fonts.example/>",
        "<img src=https://images.example/x>",
        "<style>body { color: red }</style>",
        "<p onclick=alert()>",
        "<iframe src=https://frames.example/></iframe>",
    ],
)
def test_the_policy_forbids_what_the_page_does_not_bring(opened: Open, tag: str) -> None:
    found = opened()
    with found.page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        found.page.evaluate("tag => document.body.insertAdjacentHTML('beforeend', tag)", tag)


def test_a_click_sorts_and_another_one_turns_the_order(opened: Open) -> None:
    page = opened().page
    title = header(page, "Service")
    title.get_by_role("button").click()
    assert (services(page), title.get_attribute("aria-sort")) == (sorted(ORDER), "ascending")
    title.get_by_role("button").click()
    assert (services(page), title.get_attribute("aria-sort")) == (sorted(ORDER, reverse=True), "descending")
    header(page, "State").get_by_role("button").click()
    assert title.get_attribute("aria-sort") is None


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_sorts_and_times_sort_by_time(opened: Open, key: str) -> None:
    page = opened().page
    newest = values(page, ".releases td:first-child")
    title = header(page, "Time", ".releases")
    assert title.get_attribute("aria-sort") == "descending"
    title.get_by_role("button").press(key)
    assert values(page, ".releases td:first-child") == sorted(newest) != newest
    assert title.get_attribute("aria-sort") == "ascending"


def test_durations_sort_by_their_length(opened: Open) -> None:
    page = opened().page
    header(page, "Deployed for", ".releases").get_by_role("button").click()
    lengths = values(page, ".releases td:last-child")
    assert lengths == sorted(lengths)


def copied(page: Page, button: Locator) -> str:
    """Press a button, hear what is said, and return what a paste gives."""
    button.press("Enter")
    command = button.locator("xpath=preceding-sibling::code").inner_text()
    expect(page.get_by_role("status")).to_have_text(f"Copied: {command}")
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").press("Control+v")
    assert page.locator("textarea").input_value() == command
    return command


@pytest.mark.parametrize("clipboard", ["", "Object.defineProperty(navigator, 'clipboard', {value: undefined})"])
def test_copy_puts_the_command_on_the_clipboard_and_says_so(opened: Open, clipboard: str) -> None:
    found = opened(permissions=["clipboard-read", "clipboard-write"])
    found.page.evaluate(clipboard)
    command = copied(found.page, found.page.locator(".services .copy").nth(3))
    assert command.startswith("orbit-release rollback bifrost sha-")
    assert quiet(found)


def test_where_nothing_may_be_copied_the_command_is_selected(opened: Open) -> None:
    page = opened().page
    page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false"
    )
    page.locator(".services .copy").first.click()
    expect(page.get_by_role("status")).to_contain_text("Selected")
    assert page.evaluate("String(getSelection())").startswith("orbit-release rollback orbit-www sha-")


def test_a_release_opens_with_its_commits_and_its_command(opened: Open) -> None:
    page = opened().page
    details = page.locator(".releases details", has=page.locator(".copy")).first
    expect(details.locator(".commits")).to_be_hidden()
    details.locator("summary").press("Enter")
    expect(details.locator(".commits")).to_be_visible()
    expect(details.locator(".copy")).to_be_visible()


def test_light_and_dark_differ(opened: Open) -> None:
    look = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
    light, dark = (opened(color_scheme=scheme).page.locator("body").evaluate(look) for scheme in ("light", "dark"))
    assert not set(light) & set(dark)


@pytest.mark.parametrize("width", [320, 360, 768, 900, 901, 1280])
def test_no_width_scrolls_sideways(opened: Open, width: int) -> None:
    page = opened(viewport=PHONE | {"width": width}).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [320, 901])
def test_words_that_never_end_scroll_nothing_either(opened: Open, tmp_path: Path, width: int) -> None:
    name, word, long = "a" * 100, "b" * 300, tmp_path / "index.html"
    steps = [
        Stretch(pages.reference(f"{place}{'c' * 120}", name), pages.commit(word, pages.NOW - place, word, word))
        for place in (2, 1)
    ]
    found = pages.history(steps[0], replace(steps[1], commits=(steps[0].since,)))
    held = pages.status(name, Action.HELD, hold=word, deployed=found[-1], pull_request="https://github.com")
    long.write_text(render(pages.page([held], {name: found}, branch=word, address=f"https://x/{word}")), "utf-8")
    page = opened(long, viewport=PHONE | {"width": width}).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_hostile_text_is_text(opened: Open) -> None:
    found = opened()
    shown = HOSTILE.replace("\u202e", "\ufffd").replace("\x1b", "\ufffd")
    assert shown in (found.page.locator("body").text_content() or "")
    assert found.page.title() == "drewpayment/orbit: what is deployed"
    assert found.page.locator("img").count() == 0
    assert quiet(found)


def test_the_tabulator_reaches_every_control(opened: Open) -> None:
    page = opened().page
    here = "document.activeElement.innerText.trim().split('\\n')[0]"
    page.keyboard.press("Tab")
    assert page.evaluate(here) == "Skip to the services"
    wanted = page.locator("a:visible, button:visible, summary:visible").count()
    page.evaluate("""() => {
      window.reached = [];
      const style = one => getComputedStyle(one).outlineStyle;
      addEventListener("focusin", event => reached.push(style(event.target)));
    }""")
    for _ in range(wanted - 1):
        page.keyboard.press("Tab")
    assert page.evaluate("reached") == ["solid"] * (wanted - 1)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement === document.body")


def test_the_skip_link_leads_past_the_header(opened: Open) -> None:
    page = opened().page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Service"


def test_without_scripts_everything_is_there_and_no_control_is_dead(opened: Open) -> None:
    found = opened(java_script_enabled=False)
    assert found.page.locator(".services tbody th").all_text_contents() == ORDER
    assert found.page.get_by_role("button").count() == 0
    found.page.locator("summary").first.click()
    expect(found.page.locator(".commits").first).to_be_visible()
    assert quiet(found)


def test_it_prints_without_controls(opened: Open) -> None:
    page = opened(color_scheme="dark").page
    page.emulate_media(media="print")
    expect(page.locator(".copy").first).to_be_hidden()
    assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_everybody_can_use_it(opened: Open, scheme: str, width: int) -> None:
    page = opened(color_scheme=scheme, viewport=PHONE | {"width": width}).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_page_without_services_is_as_sound(opened: Open, tmp_path: Path) -> None:
    empty = tmp_path / "index.html"
    empty.write_text(render(pages.page(address="")), encoding="utf-8")
    found = opened(empty)
    assert "Nothing was deployed yet." in found.page.locator("main").inner_text()
    assert Axe().run(found.page).violations_count == 0
    assert quiet(found)
