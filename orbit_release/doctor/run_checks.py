"""doctor: look at everything that a release and the deployment need, at once, within a bound of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial

from orbit_release.background import started
from orbit_release.doctor.checklist import Check, ChecklistLine, completed
from orbit_release.errors import OrbitReleaseError, UnavailableError
from orbit_release.text import without


def run_checks(checks: Sequence[Check], *, seconds: float, secrets: Iterable[str] = ()) -> tuple[ChecklistLine, ...]:
    """Run the checks side by side and return their lines in order, after `seconds` at the latest.

    What has not answered by then has failed. An error in one check leaves the others alone. None of the secrets is in
    a line, whoever quoted it.
    """
    told: list[list[ChecklistLine]] = [[] for _ in checks]
    runs = [started(partial(_run, check, lines.append)) for check, lines in zip(checks, told, strict=True)]
    wait(runs, timeout=seconds)
    errors = [_error(run, seconds) for run in runs]
    hidden = tuple(secrets)
    lines = (line for check in map(completed, checks, told, errors) for line in check)
    return tuple(replace(line, what=without(hidden, line.what), fix=without(hidden, line.fix)) for line in lines)


def _run(check: Check, tell: Callable[[ChecklistLine], None]) -> None:
    for line in check.lines():
        tell(line)  # at once: what comes before an error, or before the time is over, counts


def _error(run: Future[None], seconds: float) -> OrbitReleaseError | None:
    if not run.done():
        hint = "is the network slow, or does something hold the answer back?"
        return UnavailableError(f"no answer within {seconds:.0f} s", hint)
    error = run.exception()
    if error is None or isinstance(error, OrbitReleaseError):
        return error
    return OrbitReleaseError(f"{type(error).__name__}: {error}", "this is a bug of orbit-release; report it.")
