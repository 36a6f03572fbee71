"""What the tables of the page say, as plain text and addresses."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orbit_release.flows.status import Status
from orbit_release.git.graph import Commit
from orbit_release.image import LATEST
from orbit_release.planning.actions import Action
from orbit_release.releases.timeline import Deployed, has_failed, is_fixed, rollback_targets
from orbit_release.report.time_words import Moment, count, duration

SHORT = 7  # digits of a commit that people read
MAX_RELEASES, MAX_COMMITS = 500, 50
KINDS = {"bad": "image missing", "held": "held", "due": "to release", "ok": "up to date", "off": "absent"}


@dataclass(frozen=True, slots=True)
class State:
    """How a service stands: in a word or two, the rest of it, and for the eye one of `KINDS`."""

    text: str
    detail: str
    kind: str


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service as it stands."""

    name: str
    tag: str
    digest: str
    since: Moment | None
    age: str
    state: State
    pull_request: str
    command: str


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A stretch of a service's history."""

    service: str
    since: Moment
    age: str
    before: str
    after: str
    author: str
    commit: str
    link: str
    ran: str
    seconds: int
    is_rollback: bool
    has_failed: bool
    is_current: bool
    commits: tuple[Commit, ...]
    total: int
    compare: str
    command: str


def web(address: str) -> str:
    """Return an address that a browser may be sent to, or ""."""
    return address if address.startswith("https://") else ""


def service_row(status: Status, history: Sequence[Deployed], now: int) -> ServiceRow:
    """Return how a service stands at `now`, in seconds since 1970."""
    deployed, targets = status.deployed, rollback_targets(history)
    return ServiceRow(
        name=status.service.name,
        tag=deployed.reference.version if deployed else "",
        digest=str(status.digest or ""),
        since=Moment(deployed.since.time) if deployed else None,
        age=duration(now - deployed.since.time) if deployed else "",
        state=state(status),
        pull_request=web(status.pull_request),
        command=_command(status.service.name, targets[0]) if targets else "",
    )


def state(status: Status) -> State:
    """Say how a service stands; an image that is gone goes before everything else, for it cannot be restarted."""
    known = _state(status)
    if status.missing:
        return State("image missing", f"not in the registry; {known.text}", "bad")
    return known


def _state(status: Status) -> State:
    if status.action is Action.HELD or status.hold is not None:
        why = status.hold if status.hold is not None else status.reason
        return State("held", why or "no reason given", "held")
    if status.action is Action.ABSENT:
        return State("absent", status.reason, "off")
    if status.action is Action.CURRENT and not status.behind:
        return State("up to date", "", "ok")
    if status.deployed is None or status.deployed.reference.suffix in ("", f":{LATEST}"):
        return State("never released", status.reason.removeprefix("never released: "), "due")
    ready = f"; {status.target} is built" if status.action is Action.RELEASE and status.target else ""
    return State(
        f"{count(status.behind, 'commit')} behind" if status.behind else "behind", status.reason + ready, "due"
    )


def _command(service: str, one: Deployed) -> str:
    return shlex.join(["orbit-release", "rollback", service, str(one.reference.tag)])


def release_rows(histories: Mapping[str, Sequence[Deployed]], address: str, now: int) -> tuple[list[ReleaseRow], int]:
    """Return what was deployed, newest first, and how many older ones are left out."""
    every = [(service, place) for service, found in histories.items() for place in reversed(range(len(found)))]
    every.sort(key=lambda row: histories[row[0]][row[1]].since.time, reverse=True)
    rows = [_release_row(service, histories[service], place, address, now) for service, place in every[:MAX_RELEASES]]
    return rows, len(every) - len(rows)


def _release_row(service: str, found: Sequence[Deployed], place: int, address: str, now: int) -> ReleaseRow:
    one, failed = found[place], has_failed(found[place], found[place + 1] if place + 1 < len(found) else None)
    seconds = (one.until.time if one.until else now) - one.since.time
    can_go_back = is_fixed(one.reference) and one.reference != found[-1].reference
    return ReleaseRow(
        service=service,
        since=Moment(one.since.time),
        age=duration(now - one.since.time),
        before=_name(one),
        after=one.reference.version,
        author=one.since.author,
        commit=one.since.name[:SHORT],
        link=f"{address}/commit/{one.since.name}" if address else "",
        ran=duration(seconds),
        seconds=seconds,
        is_rollback=one.is_rollback,
        has_failed=failed,
        is_current=one.until is None,
        commits=one.commits[:MAX_COMMITS],
        total=len(one.commits),
        compare=_compare(one, address),
        command=_command(service, one) if can_go_back and not failed else "",  # nobody means to go back to that
    )


def _name(one: Deployed) -> str:
    return one.before.version if one.before else ""


def _compare(one: Deployed, address: str) -> str:
    """Return the address that shows what lies between, the older one first: GitHub shows nothing backwards."""
    older, newer = (one.head, one.base) if one.is_rollback else (one.base, one.head)
    return f"{address}/compare/{older}...{newer}" if address and older and newer and older != newer else ""


def summary(rows: Sequence[ServiceRow]) -> list[tuple[str, str, int]]:
    """Return how many services stand in which way, those that need a look first."""
    counts = Counter(row.state.kind for row in rows)
    return [(kind, word, counts[kind]) for kind, word in KINDS.items() if counts[kind]]
