"""What people and programs read: tables, JSON, GitHub's output file, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from orbit_release.errors import OrbitReleaseError, UnavailableError
from orbit_release.output import actions as workflow
from orbit_release.planning.actions import PENDING, Action, Plan, ServicePlan
from orbit_release.text import code, markdown_table, printable

if TYPE_CHECKING:
    from orbit_release.flows.build import BuildOutcome
    from orbit_release.flows.publish_until_landed import Published
    from orbit_release.image import ImageReference, Repository
    from orbit_release.releases.messages import Notes


def in_actions() -> bool:
    """Whether a runner of GitHub Actions reads along; nothing is printed for it anywhere else."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get("orbit_release.actions"))


def say(line: str) -> None:
    """Tell the person one line of narrative; where nobody listens any more, the work goes on."""
    with suppress(OSError):
        click.echo(workflow.harmless(line) if in_actions() else line, err=True)


def warn(message: str) -> None:
    """Tell the person what deserves a look."""
    if in_actions():
        with suppress(OSError):
            click.echo(workflow.command("warning", printable(message)), err=True)
    else:
        say(f"{click.style('warning:', fg='yellow')} {printable(message)}")


def foreign(text: str) -> str:
    """Return foreign text as part of a line that is printed."""
    line = printable(text)
    return workflow.harmless(line) if in_actions() else line


def mask(secret: str, username: str) -> None:
    """Have the runner of GitHub Actions blot out a secret wherever it would appear in the log."""
    for line in workflow.masks(secret, username):
        click.echo(line, err=True)


def summarize(file: str | None, text: str) -> None:
    """Add Markdown to the summary of a step, if a runner named a file for it; nothing fails for want of it."""
    if file and in_actions():
        try:
            workflow.append(file, text, "GITHUB_STEP_SUMMARY")
        except UnavailableError as error:
            warn(f"{error.message}: {error.hint}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in aligned columns; the last column may be as long as it likes."""
    lines = [tuple(head), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join(map(workflow.harmless, text.split("\n"))) if in_actions() else text


def to_json(document: Mapping[str, Any]) -> str:
    """Return a versioned JSON document for people and programs."""
    text = _dumps({"version": 1, **document}, indent=2)
    return text.replace("##[", "##\\u005b") if in_actions() else text  # the same JSON, and no command


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
    from orbit_release.planning.matrix import matrix  # noqa: PLC0415  (only workflows pay for it)

    pending = [one.service.name for one in plan.with_action(*PENDING)]
    return {
        "matrix": _dumps(matrix(plan, source)),
        "any": _dumps(bool(plan.with_action(Action.BUILD))),
        "pending": _dumps(bool(pending)),
        "services": _dumps(pending),
    }


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
        from orbit_release.planning.matrix import matrix  # noqa: PLC0415

        click.echo(_dumps(matrix(plan, source), indent=2))
    else:
        click.echo(to_json(plan_document(plan)) if shape == "json" else plan_table(plan))


def _write_outputs(outputs: Mapping[str, str], file: str | None) -> None:
    text = workflow.outputs(outputs)
    if file is None:
        click.echo(text, nl=False)
    else:
        workflow.append(file, text, "GITHUB_OUTPUT")


def coloured_diff(diff: str) -> str:
    """Return a diff with its changed lines in colour; click strips the colour where nobody sees it."""
    colours = {"+": "green", "-": "red", "@": "cyan"}
    lines = [(foreign(line.expandtabs(4)), colours.get(line[:1])) for line in diff.splitlines()]
    return "\n".join(click.style(line, fg=colour) for line, colour in lines)


def show_diff(diff: str, *, terminal: bool) -> None:
    """Print a diff: as it is for `git apply`; for reading on a terminal and in Actions, which obey what is in it."""
    if terminal or in_actions():
        click.echo(coloured_diff(diff))
    else:
        click.echo(diff.encode("utf-8", "surrogateescape"), nl=False)


def release_document(published: Published | None) -> dict[str, Any]:
    """Return a release as plain data."""
    edits = [
        {"path": edit.path, "line": edit.line, "before": str(edit.before), "after": str(edit.after)}
        for edit in (published.release.edits if published and not published.landed.is_newer else ())
    ]
    holds = [
        {
            "path": mark.path,
            "line": mark.line,
            "image": str(mark.repository),
            "before": mark.before,
            "after": mark.after,
        }
        for mark in (published.release.marks if published and not published.landed.is_newer else ())
    ]
    commit, pull_request = (published.landed.commit, published.landed.pull_request) if published else (None, None)
    return {"commit": commit, "pull_request": pull_request, "edits": edits, "holds": holds}


def where_it_went(published: Published) -> str:
    """Return where a release went, for people to read."""
    commit, pull_request = published.landed.commit[:7], published.landed.pull_request
    if published.landed.is_newer:
        return f"nothing to do: something newer is proposed for {published.tip.branch}: {printable(str(pull_request))}"
    if pull_request:
        return f"proposed {commit} for {published.tip.branch}: {printable(pull_request)}"
    return f"{'published' if published.tip.remote else 'committed'} {commit} on {published.tip.branch}"


def summarize_release(published: Published | None, missing: Sequence[str], file: str | None) -> None:
    """Add a release, and the images that it should have had, to the summary of a step."""
    if published and not published.landed.is_newer:
        link = published.landed.pull_request
        where = f"proposed: {link}" if link else f"on {code(published.tip.branch)}"
    else:
        where = ""
    summarize(file, workflow.release_summary(published.notes if published and where else None, where, missing))


def release_table(published: Published) -> str:
    """Return the edits of a release as a table, or the marks of holds that it only changes."""
    edits, marks = published.release.edits, published.release.marks
    rows = [(_image(e.before.repository), _suffix(e.before), _suffix(e.after), f"{e.path}:{e.line}") for e in edits]
    if rows:
        return table(("IMAGE", "BEFORE", "AFTER", "MANIFEST"), rows)
    from orbit_release.releases.messages import hold_text  # noqa: PLC0415  (manifests, which `plan` may not need)

    held = [(_image(mark.repository), f"{mark.path}:{mark.line}", hold_text(mark.after)) for mark in marks]
    return table(("IMAGE", "MANIFEST", "HOLD"), held)


def _image(repository: Repository) -> str:
    return repository.name.rpartition("/")[2]


def leaving(notes: Notes) -> Iterator[str]:
    """Yield, for each service that goes back, the commits that go out with it."""
    for step in notes.steps:
        if step.leaving:
            lines = [f"{step.service}: {step.before} -> {step.after} takes {step.distance}"]
            lines += [f"    - {commit.name[:7]} {foreign(commit.subject)}" for commit in step.leaving]
            more = (step.commits or 0) - len(step.leaving)
            lines += [f"    and {more} more"] if more > 0 else []
            yield "\n".join((*lines, *filter(None, [notes.compare_link(step)])))


def _suffix(reference: ImageReference) -> str:
    return reference.suffix.lstrip(":@") or "untagged"


def show_builds(results: Sequence[BuildOutcome], shape: str) -> None:
    """Print what became of the builds, as a table or as JSON."""
    if not results:
        say("nothing to do: every image that the plan asks for is built")
    if shape == "json":
        click.echo(to_json(builds_document(results)))
    elif results:
        click.echo(builds_table(results))


def builds_document(results: Sequence[BuildOutcome]) -> dict[str, Any]:
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


def builds_table(results: Sequence[BuildOutcome]) -> str:
    """Return what became of the builds as a table."""
    rows = [
        (result.plan.service.name, result.status, str(result.plan.tag), str(result.digest or "-")) for result in results
    ]
    return table(("SERVICE", "STATUS", "TAG", "DIGEST"), rows)


def summarize_builds(results: Sequence[BuildOutcome], file: str | None) -> None:
    """Add what became of the builds to the summary of a step."""
    rows = [
        (code(one.plan.service.name), one.status, code(str(one.plan.image)), code(str(one.digest or "")))
        for one in results
    ]
    table = markdown_table(("Service", "Status", "Image", "Digest"), rows)
    summarize(file, f"### Builds\n\n{table}\n" if rows else "### Nothing to build\n\n")


@contextmanager
def build_progress(*, terminal: bool) -> Iterator[Callable[[str, str | None], None]]:
    """Give a callable that shows a service's newest line; None says that there will be no more.

    On a terminal each service has one live line, in Actions a group in the log; elsewhere lines carry the name.
    """
    if in_actions():
        with _grouped() as show:
            yield show
    elif terminal:
        with _live() as show:
            yield show
    else:
        yield lambda service, line: say(f"{service} | {printable(line.expandtabs(4))}") if line is not None else None


@contextmanager
def _grouped() -> Iterator[Callable[[str, str | None], None]]:
    from threading import Lock  # noqa: PLC0415

    logs: dict[str, list[str]] = {}
    lock = Lock()  # builds run side by side, and a group must not begin within another

    def flush(service: str) -> None:
        for line in workflow.group(service, logs.pop(service, [])):
            click.echo(line, err=True)

    def show(service: str, line: str | None) -> None:
        with lock:
            if line is None:
                flush(service)
            else:
                logs.setdefault(service, []).append(printable(line.expandtabs(4)))

    try:
        yield show
    finally:  # a cancelled step still tells how far it came
        for service in tuple(logs):
            flush(service)


@contextmanager
def _live() -> Iterator[Callable[[str, str | None], None]]:
    from rich.console import Console  # noqa: PLC0415  (25 ms that only builds pay for)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as live:
        tasks: dict[str, Any] = {}

        def show(service: str, line: str | None) -> None:
            task = tasks[service] if service in tasks else tasks.setdefault(service, live.add_task(service))
            if line is None:
                live.stop_task(task)
            else:
                live.update(task, description=f"{service}  {printable(line)}"[: live.console.width - 12])

        yield show


def show_error(error: OrbitReleaseError) -> None:
    """Tell what happened and what to do about it."""
    if in_actions():
        for annotation in workflow.error_lines(error):
            click.echo(annotation, err=True)
        return
    lines = [printable(line) for line in error.message.splitlines()] or [""]
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
