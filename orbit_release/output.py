"""What people and programs read: tables, JSON, GitHub's output file, progress."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from orbit_release.core.plan import PENDING, Action, Plan, ServicePlan
from orbit_release.errors import OrbitReleaseError, UnavailableError

if TYPE_CHECKING:
    from orbit_release.core.image import ImageReference
    from orbit_release.core.release import Release
    from orbit_release.flows.build import Result


def printable(text: str) -> str:
    """Return foreign text as one line that cannot move the cursor, forge a line or reorder what is around it."""
    hidden = ("Cc", "Cf", "Zl", "Zp", "Cs")
    return "".join("\ufffd" if unicodedata.category(c) in hidden else c for c in text)


def say(line: str) -> None:
    """Tell the person one line of narrative."""
    click.echo(line, err=True)


def warn(message: str) -> None:
    """Tell the person what deserves a look."""
    say(f"{click.style('warning:', fg='yellow')} {printable(message)}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in aligned columns; the last column may be as long as it likes."""
    lines = [tuple(head), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def to_json(document: Mapping[str, Any]) -> str:
    """Return a versioned JSON document for people and programs."""
    return _dumps({"version": 1, **document}, indent=2)


def _dumps(value: object, *, indent: int | None = None) -> str:
    import json  # noqa: PLC0415  (2 ms that tables and names do not pay for)

    return json.dumps(value, indent=indent, separators=(",", ": " if indent else ":"))


def plan_table(plan: Plan) -> str:
    """Return a plan as a table with one line per service."""
    rows = [
        (one.service.name, one.action.value, _deployed(one), str(one.tag or "-"), one.reason) for one in plan.services
    ]
    return table(("SERVICE", "ACTION", "DEPLOYED", "TARGET", "REASON"), rows)


def _deployed(plan: ServicePlan) -> str:
    return (plan.deployed.reference.suffix.lstrip(":") if plan.deployed else "") or "-"


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data; README.md and the JSON Schema describe it."""
    services = [
        {
            "name": one.service.name,
            "action": one.action.value,
            "reason": one.reason,
            "image": str(one.service.repository),
            "deployed": str(one.deployed.reference) if one.deployed else None,
            "target": one.target,
            "tag": str(one.tag) if one.tag else None,
            "files": [{"path": str(file), "status": file.status} for file in one.files],
            "warning": one.warning,
        }
        for one in plan.services
    ]
    return {"base": plan.base, "head": plan.head, "superseded": plan.superseded, "services": services}


def plan_outputs(plan: Plan, source: str) -> dict[str, str]:
    """Return the outputs of the workflow's plan step, as text."""
    from orbit_release.core.matrix import matrix  # noqa: PLC0415  (only workflows pay for it)

    pending = [one.service.name for one in plan.with_action(*PENDING)]
    return {
        "matrix": _dumps(matrix(plan, source)),
        "any": _dumps(bool(plan.with_action(Action.BUILD))),
        "pending": _dumps(bool(pending)),
        "services": _dumps(pending),
    }


def github_output(outputs: Mapping[str, str]) -> str:
    """Return lines for $GITHUB_OUTPUT, with delimiters that no value can contain.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions#multiline-strings
    """
    import secrets  # noqa: PLC0415  (5 ms that only workflows pay for)

    delimiter = f"EOF_{secrets.token_hex(16)}"
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in outputs.items())


def show_plan(plan: Plan, shape: str, source: str, output_file: str | None) -> None:
    """Print a plan in one of the formats; `github` goes to the output file of the step where there is one."""
    for one in plan.services:
        if one.warning:
            warn(one.warning)
    if plan.superseded:
        warn("this head is not on the release branch: nothing to do")
    if shape == "github":
        _write_outputs(plan_outputs(plan, source), output_file)
    elif shape == "names":
        click.echo("".join(f"{one.service.name}\n" for one in plan.with_action(*PENDING)), nl=False)
    elif shape == "matrix":
        from orbit_release.core.matrix import matrix  # noqa: PLC0415

        click.echo(_dumps(matrix(plan, source), indent=2))
    else:
        click.echo(to_json(plan_document(plan)) if shape == "json" else plan_table(plan))


def _write_outputs(outputs: Mapping[str, str], file: str | None) -> None:
    text = github_output(outputs)
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        with open(file, "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UnavailableError(f"{file} cannot be written: {error.strerror}", "check $GITHUB_OUTPUT.") from error


def coloured_diff(diff: str) -> str:
    """Return a diff with its changed lines in colour; click strips the colour where nobody sees it."""
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return "\n".join(click.style(printable(line.expandtabs(4)), fg=colours.get(line[:1])) for line in diff.splitlines())


def show_diff(diff: str, *, terminal: bool) -> None:
    """Print a diff: as it is for `git apply`; on a terminal, which would obey what is written in it, for reading."""
    if terminal:
        click.echo(coloured_diff(diff))
    else:
        click.echo(diff.encode("utf-8", "surrogateescape"), nl=False)


def release_document(release: Release | None, commit: str | None) -> dict[str, Any]:
    """Return a release as plain data."""
    edits = [
        {"path": edit.path, "line": edit.line, "before": str(edit.before), "after": str(edit.after)}
        for edit in (release.edits if release else ())
    ]
    return {"commit": commit, "edits": edits}


def release_table(release: Release) -> str:
    """Return the edits of a release as a table."""
    rows = [
        (
            edit.before.repository.name.rpartition("/")[2],
            _suffix(edit.before),
            _suffix(edit.after),
            f"{edit.path}:{edit.line}",
        )
        for edit in release.edits
    ]
    return table(("IMAGE", "BEFORE", "AFTER", "MANIFEST"), rows)


def _suffix(reference: ImageReference) -> str:
    return reference.suffix.lstrip(":@") or "untagged"


def show_builds(results: Sequence[Result], shape: str) -> None:
    """Print what became of the builds, as a table or as JSON."""
    if not results:
        say("nothing to do: every image that the plan asks for is built")
    if shape == "json":
        click.echo(to_json(builds_document(results)))
    elif results:
        click.echo(builds_table(results))


def builds_document(results: Sequence[Result]) -> dict[str, Any]:
    """Return what became of the builds as plain data."""
    services = [
        {
            "name": result.plan.service.name,
            "status": result.status,
            "image": str(result.plan.image),
            "commit": result.plan.target,
            "digest": str(result.digest) if result.digest else None,
            "latest": result.latest,
            "error": result.error.message if result.error else None,
        }
        for result in results
    ]
    return {"services": services}


def builds_table(results: Sequence[Result]) -> str:
    """Return what became of the builds as a table."""
    rows = [
        (result.plan.service.name, result.status, str(result.plan.tag), str(result.digest or "-")) for result in results
    ]
    return table(("SERVICE", "STATUS", "TAG", "DIGEST"), rows)


@contextmanager
def build_progress(*, terminal: bool) -> Iterator[Callable[[str, str], None]]:
    """Give a callable that shows a service's newest line: one live line each on a terminal, else prefixed lines."""
    if not terminal:
        yield lambda service, line: say(f"{service} | {printable(line.expandtabs(4))}")
        return
    from rich.console import Console  # noqa: PLC0415  (25 ms that only builds pay for)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as live:
        tasks: dict[str, Any] = {}

        def show(service: str, line: str) -> None:
            task = tasks[service] if service in tasks else tasks.setdefault(service, live.add_task(service))
            live.update(task, description=f"{service}  {printable(line)}"[: live.console.width - 12])

        yield show


def show_error(error: OrbitReleaseError) -> None:
    """Tell what happened and what to do about it."""
    # A second line must not be a command to GitHub Actions, which looks for them at the start of a line.
    lines = [" " * line.startswith("::") + printable(line) for line in error.message.splitlines()] or [""]
    say(f"{click.style('error:', fg='red', bold=True)} " + "\n".join(lines))
    if error.hint:
        say(f"{click.style('hint:', fg='cyan')} {printable(error.hint)}")


def show_line(line: str) -> None:
    """Print a line that a command printed; the command itself stands out."""
    click.echo(click.style(line, bold=True) if line.startswith("$ ") else line)


def show_heading(text: str) -> None:
    """Print what comes next."""
    click.echo(click.style(text, fg="green", bold=True))


def show_demo_end(folder: str, program: str) -> None:
    """Say where the sandbox is, and what to try there."""
    show_heading(f"\n# The sandbox stays in {folder}. Three things to try in {folder}/orbit:")
    click.echo(
        "git log -p --first-parent origin/main -- infrastructure/k8s    # a release changes tags and nothing else"
    )
    click.echo(f"echo '// try' >> services/bifrost/main.go && git commit -qam try && {program} plan    # one service")
    tag = "sha-$(git log --format=%h --abbrev=7 -1 -- proto)"
    click.echo(f"{program} bump bifrost {tag} --no-verify    # refused: never backwards")


def say_traceback(error: BaseException) -> None:
    """Tell where an error comes from; what it quotes may be foreign text."""
    import traceback  # noqa: PLC0415

    for line in "".join(traceback.format_exception(error)).splitlines():
        say(printable(line))
