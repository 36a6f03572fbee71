"""GitHub Actions expressions, evaluated by GitHub's own evaluator in one Node process for the whole session."""

from __future__ import annotations

import atexit
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / ".venv" / "bin" / "node"


class ExpressionError(Exception):
    """GitHub would refuse this expression."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the status functions of an `if:` answer; by default all went well so far."""

    success: bool = True
    failure: bool = False
    cancelled: bool = False
    always: bool = field(default=True, init=False)

    @classmethod
    def of_job(cls, ancestors: Iterable[str], *, cancelled: bool = False) -> Status:
        """Return the status for a job after the results of all it needs *and* of what these need, up to the first job.

        A skipped job far up in the chain makes success() false, even if each job that is needed directly succeeded.
        """
        results = list(ancestors)
        if unknown := set(results) - {"success", "failure", "cancelled", "skipped"}:
            raise ValueError(f"no results of jobs: {', '.join(sorted(unknown))}")
        fine = all(result == "success" for result in results)
        return cls(success=fine and not cancelled, failure="failure" in results, cancelled=cancelled)

    @classmethod
    def of_step(cls, *, failed: bool = False, cancelled: bool = False) -> Status:
        """Return the status for a step of a job in which a step has failed (without continue-on-error) or has not."""
        return cls(success=not failed and not cancelled, failure=failed and not cancelled, cancelled=cancelled)


def evaluate(
    expression: str, contexts: Mapping[str, Any], status: Status | None = None, files: Path | None = None
) -> Any:
    """Return the value of an expression, given without `${{ }}`.

    Contexts and functions that are not passed in are errors: the status functions need `status`, hashFiles `files`.
    """
    return _ask("evaluate", expression, contexts, status, files)


def interpolate(
    scalar: Any, contexts: Mapping[str, Any], status: Status | None = None, files: Path | None = None
) -> Any:
    """Return the value of a YAML scalar: what is one expression keeps its type, all else with expressions is text."""
    return _ask("interpolate", scalar, contexts, status, files) if isinstance(scalar, str) else scalar


def condition(
    text: str | bool | None,  # noqa: FBT001 - YAML reads `if: true` as a truth value
    contexts: Mapping[str, Any],
    status: Status | None = None,
    files: Path | None = None,
) -> bool:
    """Return whether an `if:` holds; one that is absent, or that names no status function, asks for success() too."""
    source = json.dumps(text) if isinstance(text, bool) else text or ""
    return bool(_ask("condition", source, contexts, status or Status(), files))


def _ask(operation: str, text: str, contexts: Mapping[str, Any], status: Status | None, files: Path | None) -> Any:
    request = {
        "operation": operation,
        "text": text,
        "contexts": contexts,
        "status": asdict(status) if status else None,
        "files": str(files.resolve()) if files else None,
    }
    answer = json.loads(_exchange(json.dumps(request)))
    if "error" in answer:
        raise ExpressionError(f"{answer['error']}: {text}")
    return answer["value"]


def _exchange(line: str) -> str:
    process = _evaluator()
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    if not (answer := process.stdout.readline()):
        raise RuntimeError(f"the evaluator ended with status {process.wait()}: run scripts/setup-node")
    return answer


@cache
def _evaluator() -> subprocess.Popen[str]:
    command = [str(NODE), str(Path(__file__).with_suffix(".mjs"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    atexit.register(_stop, process)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    with process:  # closing its input ends it
        pass
