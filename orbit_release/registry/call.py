"""One call of the public interface: what it is about, and what an answer means for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from orbit_release.errors import AccessError, OrbitReleaseError, UnavailableError
from orbit_release.http import Response, WebOrigin
from orbit_release.image import Repository
from orbit_release.registry.distribution import GHCR, complaint, remote_path
from orbit_release.registry.retries import ODD_HINT


@dataclass(frozen=True, slots=True)
class Call:
    """All that is sent for it shares a scope and a deadline."""

    repository: Repository
    origin: WebOrigin
    pushes: bool
    deadline: float

    @property
    def host(self) -> str:
        return self.repository.host or "docker.io"

    @property
    def scope(self) -> str:
        actions = "pull,push" if self.pushes else "pull"
        return f"repository:{remote_path(self.repository)}:{actions}"

    def url(self, what: str) -> str:
        return urljoin(f"{self.origin}/v2/{remote_path(self.repository)}/", what)

    def refusal(self, answer: Response, secrets: Iterable[str]) -> OrbitReleaseError:
        """Return what to tell about an answer that is no success."""
        said = complaint(answer.content, secrets)
        status = answer.status_code
        what = f"{urlsplit(answer.url).netloc}: HTTP {status}" + (f", {said}" if said else "")
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return AccessError(f"access to {self.repository} denied ({what})", self._login_hint)
        if status == HTTPStatus.METHOD_NOT_ALLOWED and self.pushes:
            hint = "Ask its operator whether it is a mirror or under maintenance."
            return AccessError(f"{self.host} is read-only ({what})", hint)
        return UnavailableError(f"{self.repository}: unexpected answer ({what})", ODD_HINT)

    @property
    def _login_hint(self) -> str:
        if self.origin != GHCR:
            allowed = "push to" if self.pushes else "pull from"
            return f"Run `docker login {self.host}` with an account that may {allowed} it."
        needed = f"{'write' if self.pushes else 'read'}:packages and access granted by the package"
        return f"Set GITHUB_TOKEN or `docker login ghcr.io`; it needs {needed} (a missing one is denied, too)."
