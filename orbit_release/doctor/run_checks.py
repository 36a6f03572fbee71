"""doctor: look at everything that a release and the deployment need, at once, within a bound of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from threading import Thread

from orbit_release.doctor.checklist import Check, ChecklistLine, completed
from orbit_release.errors import OrbitReleaseError, UnavailableError
from orbit_release.text import without


def run_checks(checks: Sequence[Check], *, seconds: float, secrets: Iterable[str] = ()) -> tuple[ChecklistLine, ...]:
    """Run the checks side by side and return their lines in order, after `seconds` at the latest.

    What has not answered by then has failed. An error in one check leaves the others alone. None of the secrets is in
    a line, whoever quoted it.
    """
    runs = [_Run(check) for check in checks]
    for run in runs:
        Thread(target=run.go, daemon=True).start()  # a daemon: who hangs must not keep the program from ending
    wait([run.ended for run in runs], timeout=seconds)
    hidden = tuple(secrets)
    lines = (line for run in runs for line in run.lines_after(seconds))
    return tuple(replace(line, what=without(hidden, line.what), fix=without(hidden, line.fix)) for line in lines)


@dataclass
class _Run:
    check: Check
    lines: list[ChecklistLine] = field(default_factory=list)
    ended: Future[OrbitReleaseError | None] = field(default_factory=Future)

    def go(self) -> None:
        error: OrbitReleaseError | None = None
        try:
            for line in self.check.lines():
                self.lines.append(line)
        except OrbitReleaseError as told:
            error = told
        except Exception as bug:  # noqa: BLE001  (the other checks are worth their lines all the same)
            error = OrbitReleaseError(f"{type(bug).__name__}: {bug}", "this is a bug of orbit-release; report it.")
        self.ended.set_result(error)

    def lines_after(self, seconds: float) -> tuple[ChecklistLine, ...]:
        if self.ended.done():
            return completed(self.check, tuple(self.lines), self.ended.result())
        hint = "is the network slow, or does something hold the answer back?"
        return completed(self.check, tuple(self.lines), UnavailableError(f"no answer within {seconds:.0f} s", hint))
