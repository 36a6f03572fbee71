"""wait: ask Argo CD until it runs our release, or says that it will not, or the time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import wait as wait_for_future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from orbit_release import errors
from orbit_release.argocd.application import Application, ApplicationSource, only_application
from orbit_release.argocd.blame import outage, rollback_command
from orbit_release.argocd.observation import Observation
from orbit_release.argocd.verdict import ERRORS_LAST, Failed, Look, PastLooks, Relation, Verdict, Waiting, verdict_on
from orbit_release.background import started
from orbit_release.config import ArgoCDNames
from orbit_release.errors import OrbitReleaseError
from orbit_release.flows.awaited_release import AwaitedRelease
from orbit_release.image import ImageReference

if TYPE_CHECKING:
    from orbit_release.argocd.client import ArgoCD

_PACE = 2.0  # seconds between two looks
_LONGEST_PAUSE = 30.0  # when Argo CD does not answer
_DOUBLINGS = 4  # of the pace, before that
_LEAST = 1.0  # seconds between two requests
_REFRESHES = 2  # how often a first look with a refresh is tried
_BELIEVED = 3  # refusals without an answer between, once there was one

T = TypeVar("T")


@dataclass
class ObservedApplication:
    """The application that the configuration names, else the only one that syncs `ours`."""

    server: ArgoCD
    ours: ApplicationSource
    names: ArgoCDNames
    sleep: Callable[[float], None]

    def observe(self, *, refresh: bool = False) -> Observation:
        """Ask how it is now; with `refresh`, after Argo CD has compared it with git again."""
        if not self.names.application:
            self.names = self._only()
            self.sleep(_LEAST)
        where = {"project": self.names.project, "namespace": self.names.namespace}
        return self.server.observe(self.names.application, self.ours, refresh=refresh, **where)

    def _only(self) -> ArgoCDNames:
        seen = self.server.applications(project=self.names.project, namespace=self.names.namespace)
        only = only_application(seen, self.ours)
        if isinstance(only, Application):
            return replace(self.names, application=only.name, namespace=only.namespace)
        which = ", ".join(only) or "none that this token sees"
        hint = "set `argocd.application` in orbit-release.yaml."
        raise errors.ConfigurationError(f"which application syncs {self.ours.path}: {which}", hint)


@dataclass(frozen=True, slots=True)
class WaitResult:
    """How the wait for a revision ended; with the verdict Waiting, the time was over.

    `look` is the last one (None: there was no answer). `images` has, by service, the references that must run.
    `rollback` is the command that takes back what is to blame, or still on its way, or "".
    """

    application: str
    revision: str
    verdict: Verdict
    look: Look | None
    seconds: float
    images: Mapping[str, tuple[ImageReference, ...]]
    rollback: str


def wait(
    find: Callable[[], AwaitedRelease],
    application: ObservedApplication,
    *,
    timeout: float,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    tell: Callable[[str, str], None],
) -> WaitResult:
    """Find the release, and look at the application until the verdict is more than Waiting.

    That takes `timeout` seconds at most; TimedOutError where git takes them all. `tell` is called with the
    application's name and what it waits for, once per change. An answer that asking again does not mend is raised.
    """
    begun, told = now(), ""
    awaited = _within(timeout, find)
    if awaited is None:
        hint = "check the network and the remote."
        raise errors.TimedOutError(f"timed out after {timeout:.0f} s: git still fetches", hint)
    watch = _Watch(awaited, application)
    while True:
        seen = _within(begun + timeout - now(), watch.look)
        if seen:
            watch.learn(seen)
        if not seen or not isinstance(watch.verdict, Waiting):
            return watch.result(now() - begun)
        if watch.verdict.reason != told:
            told = watch.verdict.reason
            tell(watch.name, told)
        left = begun + timeout - now()
        pause = _pause(watch.faults, left)
        sleep(pause)
        if pause == max(left, 0):
            return watch.result(now() - begun)


def _pause(faults: int, left: float) -> float:
    """Return how long to sleep before the next look; all the time that is left where no other look fits in."""
    wanted: float = min(_LONGEST_PAUSE, _PACE * 2 ** min(faults, _DOUBLINGS))
    if wanted < left:
        return wanted
    return left - _LEAST if left >= 2 * _LEAST else max(left, 0)


def _within(seconds: float, action: Callable[[], T]) -> T | None:
    """Return what an action returns; None if it takes longer. Ctrl-C ends it at once, wherever it hangs."""
    ended = started(action)
    ended_in_time, _ = wait_for_future([ended], timeout=max(seconds, 0))
    return ended.result() if ended_in_time else None


@dataclass
class _Watch:
    """What is known from one look to the next."""

    awaited: AwaitedRelease
    application: ObservedApplication
    name: str = "Argo CD"
    verdict: Verdict = field(default_factory=lambda: Waiting("an answer"))
    last: Look | None = None
    past: PastLooks = field(default_factory=PastLooks)
    faults: int = 0
    refusals: int = 0
    refreshes: int = 0

    def look(self) -> Look | OrbitReleaseError:
        # Where the comparison failed, only the next one tells whether it was for a moment.
        errs_on = self.past.erred > 0 and self.past.erred % ERRORS_LAST == 0
        refresh = errs_on or (self.last is None and self.refreshes < _REFRESHES)
        self.refreshes += refresh
        try:
            observation = self.application.observe(refresh=refresh)
            self.name = observation.name
            return self.awaited.look(observation)
        except OrbitReleaseError as error:
            return error

    def learn(self, seen: Look | OrbitReleaseError) -> None:
        """Take in what was seen; raise an error that will not pass."""
        if isinstance(seen, Look):
            self.verdict, self.past = verdict_on(seen, self.past)
            self.last, self.faults, self.refusals = seen, 0, 0
            return
        self.faults += 1
        # Argo CD denies access also where it fails to find out, and a proxy may show a page of its own for a moment.
        self.refusals += not isinstance(seen, errors.UnavailableError) or isinstance(seen, errors.UnusableError)
        if self.refusals >= (_BELIEVED if self.last else 1):
            raise seen
        self.verdict = Waiting(f"an answer: {seen.message}")

    def result(self, seconds: float) -> WaitResult:
        last, revision = self.last, self.awaited.revision
        images = self.awaited.images(last.observation.revision if last and last.compared is Relation.OURS else revision)
        rollback = rollback_command(self.verdict, last) if last else ""
        return WaitResult(self.name, revision, self.verdict, last, seconds, images, rollback)


def fault_of(result: WaitResult) -> OrbitReleaseError | None:
    """Return what there is to complain about, with what to do next; None if all is well."""
    verdict, application = result.verdict, result.application
    if isinstance(verdict, Failed):
        what = f"{application} does not run {result.revision[:7]}: {verdict.resource or 'Argo CD'}: {verdict.message}"
        return errors.UnhealthyError(what, _rollback_hint(result))
    if isinstance(verdict, Waiting):
        message = f"timed out after {result.seconds:.0f} s: {application} still waits for {verdict.reason}"
        return errors.TimedOutError(message, _late_hint(result))
    return None


def _rollback_hint(result: WaitResult) -> str:
    if not result.rollback:
        return f"no release is to blame: argocd app get {result.application} says more."
    elsewhere = outage(result.look) if result.look else None
    look_there = f"{elsewhere} is {elsewhere.health} as well, look at that first; " if elsewhere else ""
    return f"{look_there}{result.rollback}"


def _late_hint(result: WaitResult) -> str:
    if result.look is None:
        return "check ARGOCD_SERVER and the network."
    seen = result.look.observation
    if result.rollback:
        return f"a longer time: --timeout 20m; or take it back: {result.rollback}"
    if seen.sync == "OutOfSync" and not seen.is_running:
        return f"is auto-sync off? orbit-release doctor --only argocd; or: argocd app sync {result.application}"
    return f"argocd app get {result.application} says more; a longer time: --timeout 20m."
