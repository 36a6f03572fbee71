"""What an Argo CD application syncs, and which one syncs our manifests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orbit_release.remote_address import web_address

SKIPPED = "argocd.argoproj.io/skip-reconcile"


@dataclass(frozen=True, slots=True)
class ApplicationSource:
    """What an application syncs, or should: a repository's address, a folder or chart, and a revision."""

    repository: str
    path: str
    revision: str


@dataclass(frozen=True, slots=True)
class Application:
    """What an application syncs, and when."""

    name: str
    sources: tuple[ApplicationSource, ...]
    is_automated: bool
    is_skipped: bool
    namespace: str

    @classmethod
    def read(cls, document: Any) -> Application | None:
        """Read what Argo CD answers; None if it is no application."""
        name, spec = _at(document, "metadata", "name"), _at(document, "spec")
        if not isinstance(name, str) or not isinstance(spec, dict):
            return None
        listed = spec.get("sources")
        several = listed if isinstance(listed, list) else []
        sources = [source for source in several or [spec.get("source")] if isinstance(source, dict)]
        keys = ("repoURL", "path", "targetRevision")
        automated = _at(spec, "syncPolicy", "automated")
        return cls(
            name,
            tuple(ApplicationSource(*(str(source.get(key) or "") for key in keys)) for source in sources),
            # An empty mapping turns it on, and `enabled: false` off again.
            is_automated=isinstance(automated, dict) and automated.get("enabled") is not False,
            is_skipped=_at(document, "metadata", "annotations", SKIPPED) == "true",
            namespace=str(_at(document, "metadata", "namespace") or ""),
        )


def _at(value: Any, *path: str) -> Any:
    """Return what a path of keys leads to in JSON; None where it ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def same_repository(address: str, ours: str) -> bool:
    """Whether two addresses name one repository: https, ssh:// or scp, with .git or without."""
    names = [web_address(text).lower().replace("//ssh.github.com/", "//github.com/") for text in (address, ours)]
    return bool(names[0]) and names[0] == names[1]


def fit(source: ApplicationSource, ours: ApplicationSource) -> tuple[bool, bool]:
    """Tell whether a source lies in the repository of ours, and whether in its folder; the revision does not count."""
    is_same = same_repository(source.repository, ours.repository)
    path, folder = ([part for part in text.split("/") if part not in ("", ".")] for text in (source.path, ours.path))
    return is_same, is_same and path[: len(folder)] == folder


def only_application(applications: Iterable[Application], ours: ApplicationSource) -> Application | tuple[str, ...]:
    """Return the only application that syncs ours, else the names of those that do."""
    fitting = [
        application for application in applications if any(all(fit(source, ours)) for source in application.sources)
    ]
    return fitting[0] if len(fitting) == 1 else tuple(application.name for application in fitting)


def position(application: Application, ours: ApplicationSource) -> int | None:
    """Return which of an application's sources is ours; None for an application of one source."""
    if len(application.sources) < 2:  # noqa: PLR2004  (its revision is the application's own)
        return None
    return max(range(len(application.sources)), key=lambda place: fit(application.sources[place], ours))
