"""A plan: as a table, as JSON, for the steps of a workflow, and as the summary of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from orbit_release.output import github_actions as actions
from orbit_release.output.console import dumps, table, to_json, warn
from orbit_release.planning.actions import Plan, ServicePlan
from orbit_release.text import code, markdown_table


def show_plan(plan: Plan, shape: str, source: str, output_file: str | None) -> None:
    """Print a plan in one of the formats; `github` goes to the output file of the step where there is one."""
    for service in plan.services:
        if service.warning:
            warn(service.warning)
    for text in plan.warnings:
        warn(text)
    if plan.superseded:
        warn("this head is not on the release branch: nothing to do")
    if shape == "names":
        click.echo("".join(f"{name}\n" for name in _pending(plan)), nl=False)
    elif shape in {"github", "matrix"}:
        from orbit_release.planning.matrix import matrix  # noqa: PLC0415  (only workflows pay for it)

        jobs = matrix(plan, source)
        if shape == "github":
            _write_outputs(plan, jobs, output_file)
        else:
            click.echo(dumps(jobs, indent=2))
    else:
        click.echo(to_json(_document(plan)) if shape == "json" else _table(plan))


def plan_summary(plan: Plan, *, merging: bool) -> str:
    """Return a plan as Markdown; `merging`: it is about what a pull request would release."""
    names = ", ".join(map(code, _pending(plan)))
    title = f"{'Merging this releases' if merging else 'To release'}: {names or 'nothing'}"
    if plan.superseded:
        title = "The release branch has moved on: update this to see what merging releases" if merging else "Superseded"
    rows = [
        (code(plan.service.name), plan.action.value, code(str(plan.tag or "")), code(plan.reason))
        for plan in plan.services
    ]
    table = markdown_table(("Service", "Action", "Target", "Reason"), rows)
    warnings = "".join(f"- {code(warning)}\n" for warning in plan.warnings)
    return f"### {title}\n\n{table}\n" + (f"{warnings}\n" if warnings else "")


def _pending(plan: Plan) -> list[str]:
    return [service.service.name for service in plan.pending]


def _table(plan: Plan) -> str:
    rows = [
        (plan.service.name, plan.action.value, _deployed(plan), str(plan.tag or "-"), plan.reason)
        for plan in plan.services
    ]
    return table(("SERVICE", "ACTION", "DEPLOYED", "TARGET", "REASON"), rows)


def _deployed(plan: ServicePlan) -> str:
    return (plan.deployed.reference.suffix.lstrip(":") if plan.deployed else "") or "-"


def _document(plan: Plan) -> dict[str, Any]:
    services = [_service_document(service) for service in plan.services]
    return {"base": plan.base, "head": plan.head, "superseded": plan.superseded, "services": services}


def _service_document(plan: ServicePlan) -> dict[str, Any]:
    return {
        "name": plan.service.name,
        "action": plan.action.value,
        "reason": plan.reason,
        "image": str(plan.service.repository),
        "deployed": str(plan.deployed.reference) if plan.deployed else None,
        "target": plan.target,
        "tag": str(plan.tag) if plan.tag else None,
        "files": [{"path": str(file), "status": file.status} for file in plan.files],
        "warning": plan.warning,
    }


def _write_outputs(plan: Plan, jobs: Mapping[str, Any], file: str | None) -> None:
    pending = _pending(plan)
    builds = bool(plan.to_build)
    values = {"matrix": jobs, "any": builds, "pending": bool(pending), "services": pending}
    text = actions.outputs({name: dumps(value) for name, value in values.items()})
    if file is None:
        click.echo(text, nl=False)
    else:
        actions.append(file, text, "GITHUB_OUTPUT")
