"""Plan -> the GitHub Actions build matrix."""

from __future__ import annotations

from orbit_release.errors import UsageError
from orbit_release.image import LATEST, ImageReference
from orbit_release.planning.actions import Plan, ServicePlan

# https://docs.github.com/actions/reference/limits: "Job matrix: 256 jobs per workflow run"
_MAX_JOBS = 256


def labels(plan: ServicePlan, source: str) -> dict[str, str]:
    """Return the labels of a service's image, after the OCI image specification's annotations.

    `source` is the web address of the monorepo ("" where it has none): it links the package to the repository.
    """
    known = {"source": source, "revision": plan.target or "", "title": plan.service.name}
    return {f"org.opencontainers.image.{key}": value for key, value in known.items() if value}


def matrix(plan: Plan, source: str) -> dict[str, list[dict[str, str]]]:
    """Return `{"include": […]}` with a job for each service to build; UsageError past GitHub's limit.

    All values of a job are text; lists are joined by newlines, platforms by commas.
    """
    jobs = [_job(service, source) for service in plan.to_build]
    if len(jobs) > _MAX_JOBS:
        hint = "build in two steps: name some of the services."
        raise UsageError(f"{len(jobs)} services to build, and GitHub runs {_MAX_JOBS} jobs of a matrix", hint)
    return {"include": jobs}


def _job(plan: ServicePlan, source: str) -> dict[str, str]:
    service, settings = plan.service, plan.service.settings
    tags = (plan.tag, LATEST) if plan.latest else (plan.tag,)
    return {
        "service": service.name,
        "image": str(service.repository),
        "commit": plan.target or "",
        "tag": str(plan.tag),
        "tags": "\n".join(str(ImageReference(service.repository, tag)) for tag in tags),
        "context": settings.context,
        "dockerfile": settings.dockerfile,
        "platforms": ",".join(settings.platforms),
        "build_args": _lines(dict(settings.build_args)),
        "labels": _lines(labels(plan, source)),
        "cache_scope": service.name,
    }


def _lines(pairs: dict[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in pairs.items())
