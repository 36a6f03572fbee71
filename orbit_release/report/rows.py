"""What the tables of the page say, as plain text and addresses."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orbit_release.flows.status import Status
from orbit_release.git.graph import Commit
from orbit_release.image import LATEST
from orbit_release.planning.actions import Action
from orbit_release.releases.timeline import Stretch, has_failed, is_fixed, rollback_targets
from orbit_release.report.time_words import Moment, duration
from orbit_release.text import counted

_MOST_RELEASES, _MOST_COMMITS = 500, 50
KINDS = {"bad": "image missing", "held": "held", "due": "to release", "ok": "up to date", "off": "absent"}


@dataclass(frozen=True, slots=True)
class ShownState:
    """How a service stands: in a word or two, the rest of it, and for the eye one of `KINDS`."""

    text: str
    detail: str
    kind: str


@dataclass(frozen=True, slots=True)
class ServiceRow:
    status: Status
    digest: str
    since: Moment | None
    age: str
    state: ShownState
    pull_request: str
    command: str


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A stretch of a service's history; it `ran` for so many seconds until the next release, or until now."""

    service: str
    deployed: Stretch
    since: Moment
    age: str
    link: str
    ran: str
    seconds: int
    has_failed: bool
    commits: tuple[Commit, ...]
    compare: str
    command: str


def web(address: str) -> str:
    """Return an address that a browser may be sent to, or ""."""
    return address if address.startswith("https://") else ""


def service_row(status: Status, history: Sequence[Stretch], now: int) -> ServiceRow:
    """Return how a service stands; `now` in seconds since 1970."""
    deployed, targets = status.deployed, rollback_targets(history)
    return ServiceRow(
        status=status,
        digest=str(status.digest or ""),
        since=Moment(deployed.since.time) if deployed else None,
        age=duration(now - deployed.since.time) if deployed else "",
        state=shown_state(status),
        pull_request=web(status.pull_request),
        command=_command(status.service.name, targets[0]) if targets else "",
    )


def shown_state(status: Status) -> ShownState:
    """Say how a service stands; an image that is gone goes before everything else, for it cannot be restarted."""
    if status.missing:
        known = shown_state(replace(status, missing=False))
        return ShownState("image missing", f"not in the registry; {known.text}", "bad")
    if status.action is Action.HELD or status.hold is not None:
        why = status.hold if status.hold is not None else status.reason
        return ShownState("held", why or "no reason given", "held")
    if status.action is Action.ABSENT:
        return ShownState("absent", status.reason, "off")
    if status.action is Action.CURRENT and not status.behind:
        return ShownState("up to date", "", "ok")
    if status.deployed is None or status.deployed.reference.suffix in ("", f":{LATEST}"):
        return ShownState("never released", status.reason.removeprefix("never released: "), "due")
    ready = f"; {status.target} is built" if status.action is Action.RELEASE and status.target else ""
    behind = f"{counted(status.behind, 'commit')} behind" if status.behind else "behind"
    return ShownState(behind, status.reason + ready, "due")


def _command(service: str, deployed: Stretch) -> str:
    return shlex.join(["orbit-release", "rollback", service, str(deployed.reference.tag)])


def release_rows(histories: Mapping[str, Sequence[Stretch]], address: str, now: int) -> tuple[list[ReleaseRow], int]:
    """Return what was deployed, newest first, and how many older ones are left out."""
    places = [(service, place) for service, history in histories.items() for place in reversed(range(len(history)))]
    places.sort(key=lambda place: histories[place[0]][place[1]].since.time, reverse=True)
    rows = [_release_row(service, histories[service], at, address, now) for service, at in places[:_MOST_RELEASES]]
    return rows, len(places) - len(rows)


def _release_row(service: str, history: Sequence[Stretch], at: int, address: str, now: int) -> ReleaseRow:
    deployed, is_failed = history[at], has_failed(history[at], history[at + 1] if at + 1 < len(history) else None)
    seconds = (deployed.until.time if deployed.until else now) - deployed.since.time
    can_go_back = is_fixed(deployed.reference) and deployed.reference != history[-1].reference
    return ReleaseRow(
        service=service,
        deployed=deployed,
        since=Moment(deployed.since.time),
        age=duration(now - deployed.since.time),
        link=f"{address}/commit/{deployed.since.name}" if address else "",
        ran=duration(seconds),
        seconds=seconds,
        has_failed=is_failed,
        commits=deployed.commits[:_MOST_COMMITS],
        compare=_compare(deployed, address),
        command=_command(service, deployed) if can_go_back and not is_failed else "",  # nobody means to go back to that
    )


def _compare(deployed: Stretch, address: str) -> str:
    """Return the address that shows what lies between, the older one first: GitHub shows nothing backwards."""
    older, newer = (deployed.head, deployed.base) if deployed.is_rollback else (deployed.base, deployed.head)
    return f"{address}/compare/{older}...{newer}" if address and older and newer and older != newer else ""


def summary(rows: Sequence[ServiceRow]) -> list[tuple[str, str, int]]:
    """Return kind, words and number of services for each way to stand, those that need a look first."""
    counts = Counter(row.state.kind for row in rows)
    return [(kind, word, counts[kind]) for kind, word in KINDS.items() if counts[kind]]
