"""What the report says; how it behaves in a browser is tests/browser."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given, settings, strategies as st

from orbit_release.flows.status import Status
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.planning.actions import Action
from orbit_release.releases.timeline import Stretch
from orbit_release.report.dora_figures import Unit
from orbit_release.report.drawing import timeline
from orbit_release.report.page import render
from orbit_release.report.rows import release_rows, service_row, shown_state, summary
from orbit_release.report.time_words import Moment, duration, value
from orbit_release.text import counted
from tests.pages import ADDRESS, DAY, HOUR, NOW, commit, history, orbit, page, reference, status

OLD, NEW = commit("old", NOW - 9 * DAY), commit("new", NOW - 2 * DAY)
FIRST = Stretch(reference("sha-0aa11bb"), commit("first", NOW - 8 * DAY), head=OLD.name)
SECOND = Stretch(reference("sha-1a2b3c4"), commit("second", NOW - DAY), base=OLD.name, head=NEW.name, commits=(NEW,))
BACK = replace(FIRST, since=commit("back", NOW - HOUR), is_rollback=True, base=NEW.name, head=OLD.name, commits=(NEW,))
RELEASED = {"bifrost": history(FIRST, SECOND)}
ROLLED_BACK = {"bifrost": history(FIRST, SECOND, BACK)}
# What would be a place to load something from, or a script in disguise.
OUTSIDE = re.compile(r'(?:src|srcset|poster|action|formaction|background|data|xlink:href)\s*=|@import|url\(|\bon\w+="')


def current(found: tuple[Stretch, ...], **more: object) -> Status:
    return replace(status(deployed=found[-1]), **more)  # type: ignore[arg-type]


def test_markup_in_foreign_text_is_escaped_wherever_it_stands() -> None:
    mean = "<script>alert(1)</script>\"'><img src=x>"
    one = replace(FIRST, since=replace(FIRST.since, author=mean))
    two = replace(SECOND, commits=(commit("mean", subject=mean),))
    held = status(action=Action.HELD, hold=mean, deployed=two)
    absent = status("other", Action.ABSENT, mean)
    html = render(page([held, absent], {"bifrost": history(one, two), mean: history(one)}, branch=mean))
    assert "<script>alert" not in html
    assert "<img" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&gt;&lt;img src=x&gt;") >= 6


def told(text: str) -> str:
    """Render a page with a text as a reason and as a subject."""
    steps = history(replace(FIRST, commits=(commit("x", subject=f"x{text}"),)))
    return render(page([status(action=Action.HELD, hold=f"x{text}")], {"bifrost": steps}))


PLAIN = told("")


@settings(deadline=None)
@given(st.text())
def test_no_text_adds_an_element_or_hides_what_is_around_it(text: str) -> None:
    html = told(text)
    assert re.findall(r"<[^>]*>", html) == re.findall(r"<[^>]*>", PLAIN)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b\x00]", html)


def test_nothing_is_loaded_and_nothing_but_links_leads_outside() -> None:
    html = render(orbit())
    assert not OUTSIDE.search(html.partition("<script>")[0])
    assert {
        target for target in re.findall(r'<(?:link|use)[^>]* href="([^"]*)"', html) if not target.startswith("#")
    } == {"data:,"}
    assert re.search("default-src 'none'; style-src 'sha256-[^;]+'; script-src 'sha256-[^;]+'; ", unescape(html))


def test_a_release_links_to_its_commit_and_what_lies_between_the_older_first() -> None:
    (back, release, first), left_out = release_rows(ROLLED_BACK, ADDRESS, NOW)
    assert left_out == 0
    assert release.link == f"{ADDRESS}/commit/{SECOND.since.name}"
    assert back.compare == release.compare == f"{ADDRESS}/compare/{OLD.name}...{NEW.name}"
    assert (first.compare, first.ran, release.ran, back.ran) == ("", "7 d", "23 h", "1 h")


def test_a_release_names_what_it_replaced_and_what_is_deployed_now_is_marked() -> None:
    table = unescape(render(page(histories=ROLLED_BACK)).partition('id="releases-title"')[2])
    rows = [re.sub(r"<[^>]*>", "", row) for row in table.split('<tr role="row"')[2:]]
    assert [(" now" in row, re.findall(r"(rollback)?(sha-\w+) →to (sha-\w+)", row)) for row in rows] == [
        (True, [("rollback", "sha-1a2b3c4", "sha-0aa11bb")]),
        (False, [("", "sha-0aa11bb", "sha-1a2b3c4")]),
        (False, []),
    ]


@pytest.mark.parametrize("address", ["", "http://github.com/acme/shop", "javascript:alert(1)", "//evil.example"])
def test_only_https_becomes_a_link(address: str) -> None:
    pulled = current(RELEASED["bifrost"], pull_request=address)
    html = render(page([pulled], RELEASED, address=address))
    assert set(re.findall(r'<a[^>]* href="([^"#]+)"', html)) == {"https://dora.dev/guides/dora-metrics-four-keys/"}
    assert "<h1>Releases</h1>" in html
    assert SECOND.since.name[:7] in html


def test_what_can_be_rolled_back_to_has_its_command() -> None:
    row = service_row(current(RELEASED["bifrost"]), RELEASED["bifrost"], NOW)
    assert row.command == "orbit-release rollback bifrost sha-0aa11bb"
    commands = [one.command for one in release_rows(RELEASED, ADDRESS, NOW)[0]]
    assert commands == ["", "orbit-release rollback bifrost sha-0aa11bb"]
    rolled = service_row(current(ROLLED_BACK["bifrost"]), ROLLED_BACK["bifrost"], NOW)
    assert rolled.command == ""


def test_nobody_is_offered_to_go_back_to_what_was_rolled_back_from() -> None:
    rows, _ = release_rows(ROLLED_BACK, ADDRESS, NOW)
    assert [(one.has_failed, one.command) for one in rows] == [(False, ""), (True, ""), (False, "")]
    assert "rolled back later" in render(page(histories=ROLLED_BACK)).partition('id="releases-title"')[2]


def test_a_command_is_safe_to_paste() -> None:
    commands = [one.command for one in release_rows({"a b; rm": RELEASED["bifrost"]}, ADDRESS, NOW)[0]]
    assert commands[-1] == "orbit-release rollback 'a b; rm' sha-0aa11bb"


DEPLOYED, LATEST = RELEASED["bifrost"][-1], replace(FIRST, reference=reference("latest"))
BARE = replace(FIRST, reference=ImageReference(Repository("ghcr.io/acme/bifrost"), None, Digest("sha256:" + "0" * 64)))


def due(reason: str, deployed: Stretch | None = None, action: Action = Action.BUILD, **more: object) -> Status:
    return replace(status(action=action, reason=reason, deployed=deployed), **more)  # type: ignore[arg-type]


def held(reason: str, hold: str | None) -> Status:
    return status(action=Action.HELD, reason=reason, deployed=DEPLOYED, hold=hold)


BUILT = due("a changed", DEPLOYED, Action.RELEASE, behind=2, target=Tag("sha-5d6e7f8"))


@pytest.mark.parametrize(
    ("stands", "text", "detail", "kind"),
    [
        (status(deployed=DEPLOYED), "up to date", "", "ok"),
        (due("a changed", DEPLOYED, behind=1), "1 commit behind", "a changed", "due"),
        (BUILT, "2 commits behind", "a changed; sha-5d6e7f8 is built", "due"),
        (due("it names no commit", BARE), "behind", "it names no commit", "due"),
        (due("never released: deployed is latest", LATEST), "never released", "deployed is latest", "due"),
        (due("no manifest names it"), "never released", "no manifest names it", "due"),
        (held("held: leak", "leak"), "held", "leak", "held"),
        (held("held: no reason given", ""), "held", "no reason given", "held"),
        (held("pinned to v1 by hand", None), "held", "pinned to v1 by hand", "held"),
        (status(action=Action.ABSENT, reason="no Dockerfile"), "absent", "no Dockerfile", "off"),
        (status(deployed=DEPLOYED, missing=True), "image missing", "not in the registry; up to date", "bad"),
    ],
)
def test_a_state_is_said_in_words(stands: Status, text: str, detail: str, kind: str) -> None:
    found = shown_state(stands)
    assert (found.text, found.detail, found.kind) == (text, detail, kind)
    assert text in render(page([stands]))


def test_states_that_need_a_look_are_counted_first() -> None:
    stands = [status(deployed=DEPLOYED), status(deployed=DEPLOYED), status(deployed=DEPLOYED, missing=True)]
    assert summary([service_row(one, (), NOW) for one in stands]) == [
        ("bad", "image missing", 1),
        ("ok", "up to date", 2),
    ]


def test_the_newest_releases_are_shown_and_the_rest_is_counted() -> None:
    steps = [Stretch(reference(f"sha-{n:07x}"), commit(f"r{n}", NOW - (600 - n) * HOUR)) for n in range(503)]
    html = render(page(histories={"bifrost": history(*steps[:300]), "web": history(*steps[300:])}))
    assert html.count("<tr role=") - 1 == 500
    assert "3 older releases left out" in html
    assert "sha-0000003" in html.partition('id="releases-title"')[2]
    assert "sha-0000001<" not in html.partition('id="releases-title"')[2]


def test_the_newest_commits_are_shown_and_the_rest_is_counted() -> None:
    many = tuple(commit(f"change number {n}.") for n in range(53))
    html = render(page(histories={"bifrost": history(FIRST, replace(SECOND, commits=many))}))
    assert "53 commits came in" in html
    assert ("change number 49." in html, "change number 50." in html) == (True, False)
    assert "and 3 more" in html


def test_a_page_of_nothing_says_so() -> None:
    html = render(page(histories={"bifrost": ()}))
    assert "No service is known." in html
    assert "Nothing was deployed yet." in html
    assert html.count("nothing yet") == 4


def test_what_is_not_known_is_not_made_up() -> None:
    bare = replace(SECOND, base=None, head=None, commits=())
    html = render(page([status()], {"bifrost": history(FIRST, bare)}))
    assert "/compare/" not in html
    assert "nothing to go back to" not in html
    assert ">never<" in html


def test_a_page_is_the_same_whenever_it_is_rendered() -> None:
    assert render(orbit()) == render(orbit())


def test_the_timeline_shows_releases_failures_and_rollbacks() -> None:
    found = timeline(ROLLED_BACK, NOW)
    (line,) = found.rows
    assert str(found.start) == str(Moment(FIRST.since.time))
    assert [(mark.kind, mark.x) for mark in line.marks] == [("ok", "0.00%"), ("failed", "87.50%"), ("back", "99.48%")]
    assert line.text == "bifrost: 2 releases, 1 rollback"
    assert len({mark.text for mark in line.marks}) == 3


def test_the_timeline_ends_twelve_weeks_ago_and_a_clock_that_is_ahead_stays_in_it() -> None:
    old, ahead = (replace(FIRST, since=commit(str(time), time)) for time in (NOW - 100 * DAY, NOW + DAY))
    found = timeline({"bifrost": history(old, ahead)}, NOW)
    assert found.start.seconds == NOW - 84 * DAY
    assert [mark.x for mark in found.rows[0].marks] == ["100.00%"]


def test_the_scale_names_days_and_for_a_short_time_fewer_places_with_their_hours() -> None:
    labels = [tick.label for tick in timeline({"bifrost": history(replace(FIRST, since=OLD))}, NOW).ticks]
    assert [label for label in labels if label] == [
        "9 Nov 11:06",
        "11 Nov 17:06",
        "13 Nov 23:06",
        "16 Nov 05:06",
        "18 Nov 11:06",
    ]
    ticks = timeline({"bifrost": history(replace(FIRST, since=commit("x", 0)))}, NOW).ticks
    assert [tick.label for tick in ticks if tick.is_major] == ["26 Aug", "16 Sep", "7 Oct", "28 Oct", "18 Nov"]


@settings(deadline=None)
@given(st.integers(-(2**40), 2**60))
def test_any_time_that_a_commit_may_claim_is_shown(time: int) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", str(Moment(time)))
    assert "bifrost" in render(page(histories={"bifrost": history(replace(FIRST, since=commit("x", time)))}))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (HOUR, "1 h"),
        (4 * HOUR + 125, "4 h 2 min"),
        (DAY + HOUR, "1 d 1 h"),
        (14 * DAY, "14 days"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: int, words: str) -> None:
    assert duration(seconds) == words


def test_values_carry_their_units() -> None:
    assert [value(0.5, unit) for unit in Unit] == ["0.5 per week", "0 s", "50%"]
    assert (value(2.0, Unit.PER_WEEK), value(None, Unit.SHARE)) == ("2 per week", "none")
    assert [counted(number, "commit") for number in (0, 1, 2)] == ["0 commits", "1 commit", "2 commits"]
