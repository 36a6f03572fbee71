"""What an Argo CD application syncs, and which one syncs our manifests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orbit_release.argocd.answer import at, each
from orbit_release.remote import web_address

SKIPPED = "argocd.argoproj.io/skip-reconcile"


@dataclass(frozen=True, slots=True)
class Origin:
    """What an application syncs: a repository's address, a folder or chart, and a revision."""

    repository: str
    path: str
    revision: str


@dataclass(frozen=True, slots=True)
class Application:
    """The part of an Application that says what it syncs, and when."""

    name: str
    origins: tuple[Origin, ...]
    is_automated: bool
    is_skipped: bool = False
    namespace: str = ""

    @classmethod
    def read(cls, document: Any) -> Application | None:
        """Read what Argo CD answers; None if it is no application."""
        name, spec = at(document, "metadata", "name"), at(document, "spec")
        if not isinstance(name, str) or not isinstance(spec, dict):
            return None
        sources = each(spec, "sources") or [spec.get("source")]
        origins = tuple(_origin(one) for one in sources if isinstance(one, dict))
        automated = at(spec, "syncPolicy", "automated")
        # An empty mapping turns it on, and `enabled: false` off again.
        is_automated = isinstance(automated, dict) and automated.get("enabled") is not False
        is_skipped = at(document, "metadata", "annotations", SKIPPED) == "true"
        return cls(name, origins, is_automated, is_skipped, str(at(document, "metadata", "namespace") or ""))


def _origin(source: dict[str, Any]) -> Origin:
    address, path, revision = (str(source.get(key) or "") for key in ("repoURL", "path", "targetRevision"))
    return Origin(address, path, revision)


@dataclass(frozen=True, slots=True)
class Released:
    """What this clone releases to: the address of its repository, the folder of manifests, the release branch."""

    address: str
    folder: str
    branch: str


def same_repository(one: str, other: str) -> bool:
    """Whether two addresses name one repository: https, ssh:// or scp, with .git or without."""
    addresses = [web_address(address).lower().replace("//ssh.github.com/", "//github.com/") for address in (one, other)]
    return bool(addresses[0]) and addresses[0] == addresses[1]


def is_inside(path: str, folder: str) -> bool:
    path, folder = ("/".join(part for part in text.split("/") if part not in ("", ".")) for text in (path, folder))
    return not folder or path == folder or path.startswith(f"{folder}/")


def candidates(applications: Sequence[Application], ours: Released) -> list[Application]:
    """Return the applications that sync the manifests of this repository, whatever the revision."""
    syncs: Callable[[Origin], bool] = lambda one: (  # noqa: E731
        same_repository(one.repository, ours.address) and is_inside(one.path, ours.folder)
    )
    return [application for application in applications if any(map(syncs, application.origins))]


def position(application: Application, ours: Released) -> int | None:
    """Return which of an application's sources is ours; None for an application of one source."""
    if len(application.origins) < 2:  # noqa: PLR2004  (its revision is the application's own)
        return None
    same = [place for place, one in enumerate(application.origins) if same_repository(one.repository, ours.address)]
    inside = [place for place in same if is_inside(application.origins[place].path, ours.folder)]
    return next(iter(inside or same), 0)
