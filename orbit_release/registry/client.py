"""OCI registries: which image a tag names, and one more tag for an image. Only 404 means absent."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from random import random as fraction
from urllib.parse import urljoin

from orbit_release.errors import ConflictError, NotFoundError, OrbitReleaseError, UnavailableError
from orbit_release.http import Response, WebOrigin
from orbit_release.image import Digest, Repository, Tag
from orbit_release.registry import distribution
from orbit_release.registry.authentication import Login
from orbit_release.registry.retries import Call, Request, Retries, odd
from orbit_release.tag_scheme import DEFAULT_TAG_SCHEME, TagScheme

_MOST_REDIRECTS = 5
_TAGS_SHOWN = 5
_LOST_HINT = "Push the image again."
_MOVED_HINT = "The tag was pushed again: leave the digest out to take the registry's, or name another tag."
_PUSHED_HINT = "Was the build pushed?  orbit-release plan --registry"


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """What a registry has under a tag, and the commit (its full name) on the image's revision label."""

    digest: Digest
    revision: str | None


class Registry:
    """A client for all registries, with one set of credentials; threads may share it."""

    def __init__(
        self,
        *,
        github_token: str | None = None,
        docker_config: Path | None = None,
        budget: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = fraction,
        on_secret: Callable[[str, str], None] = lambda _secret, _username: None,
        scheme: TagScheme = DEFAULT_TAG_SCHEME,
    ) -> None:
        """Know the credentials in Docker's folder and a token for ghcr.io; `budget`: seconds for a call.

        Every secret that comes up is told to `on_secret`, with the user name that belongs to it (or ""). Where a tag
        is missing, those of the `scheme` are named.
        """
        self._budget = budget
        self._scheme = scheme
        self._retries = Retries(sleep, clock, random)
        self._login = Login(self._retries, github_token, docker_config, budget, on_secret)

    def image(self, repository: Repository, name: Tag | Digest) -> RemoteImage | None:
        """Return what a tag or digest names; None when there is no such image."""
        call = self._call(repository)
        if (manifest := self._ask(call, "GET", f"manifests/{name}")) is None:
            return None
        digest = _verified(manifest, name if isinstance(name, Digest) else None)
        content = manifest.content
        if platform := distribution.first_platform(content):
            content = self._part(call, "manifests", platform)
        config = distribution.config_of(content)
        revision = distribution.revision_of(self._part(call, "blobs", config)) if config else None
        return RemoteImage(digest, revision)

    def has(self, repository: Repository, name: Tag | Digest) -> bool:
        """Whether there is an image under a tag or digest; asked without taking it, which registries count."""
        return self._ask(self._call(repository), "HEAD", f"manifests/{name}") is not None

    def copy_tag(self, repository: Repository, source: Digest, tag: Tag) -> None:
        """Point a tag at an image that is in the repository already; the digest stays."""
        call = self._call(repository, pushes=True)
        if (manifest := self._ask(call, "GET", f"manifests/{source}")) is None:
            raise NotFoundError(f"{repository} has no image {source}", _PUSHED_HINT)
        _verified(manifest, source)
        if self._ask(call, "PUT", f"manifests/{tag}", manifest) is None:
            raise NotFoundError(f"{repository} has lost parts of {source}", _LOST_HINT)

    def require(self, repository: Repository, tag: Tag, digest: Digest | None = None) -> Digest:
        """Return the digest of a tag that must exist, and must name `digest` where one is given."""
        call = self._call(repository)
        if (manifest := self._ask(call, "GET", f"manifests/{tag}")) is None:
            raise NotFoundError(f"{repository} has no tag {tag}", self._tags_hint(call))
        there = _verified(manifest)
        if digest not in {None, there}:
            raise ConflictError(f"{repository}:{tag} is {there}, not {digest}", _MOVED_HINT)
        return there

    def _call(self, repository: Repository, *, pushes: bool = False) -> Call:
        deadline = self._retries.clock() + self._budget
        return Call(repository, distribution.origin_of(repository), pushes, deadline)

    def _part(self, call: Call, kind: str, digest: Digest) -> bytes:
        if (answer := self._ask(call, "GET", f"{kind}/{digest}")) is None:
            raise UnavailableError(f"{call.repository} has lost {digest}, a part of an image", _LOST_HINT)
        _verified(answer, digest)
        return answer.content

    def _tags_hint(self, call: Call) -> str:
        tags: list[str] = []
        query = "n=1000"
        try:
            while query and (page := self._ask(call, "GET", f"tags/list?{query}")):
                tags += filter(self._is_built, distribution.tags_of(page.content))
                link = page.links.get("next", {}).get("url", "")
                query = link.partition("?")[2]  # the rest could lead to another host
        except OrbitReleaseError:
            return _PUSHED_HINT
        there = ", ".join(tags[: -_TAGS_SHOWN - 1 : -1]) or f"none like {self._scheme} yet"
        return f"Tags there: {there}. {_PUSHED_HINT}"

    def _is_built(self, tag: str) -> bool:
        return self._scheme.commit_prefix(Tag(tag)) is not None

    def _ask(self, call: Call, method: str, what: str, put: Response | None = None) -> Response | None:
        """Ask as whom the registry wants; None for 404, and whatever else is no success is raised."""
        headers = {"Accept": distribution.ACCEPT} if what.startswith("manifests/") else {}
        if put is not None:
            headers["Content-Type"] = put.headers.get("Content-Type", "")
        sent = self._login.authorization(call, refused=None)
        request = Request(method, call.url(what), sent, headers, None if put is None else put.content)
        answer = self._follow(call, request)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and WebOrigin.parse(answer.url) == call.origin:
            self._login.learn(call, answer.headers.get("WWW-Authenticate", ""))
            if (renewed := self._login.authorization(call, refused=sent)) != sent:
                answer = self._follow(call, replace(request, authorization=renewed))
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise call.refusal(answer, self._login.secrets)
        return answer

    def _follow(self, call: Call, request: Request) -> Response:
        """Follow redirects, which blobs have; who is not the registry itself never sees the credentials."""
        for _ in range(_MOST_REDIRECTS):
            answer = self._retries.send(request, call.deadline)
            if not answer.is_redirect or request.body is not None:
                return answer
            url = urljoin(request.url, answer.headers["Location"])
            target = WebOrigin.parse(url)
            if not call.origin.allows(target):
                raise odd(answer.url, "redirects to an address that is not https")
            request = replace(request, url=url, authorization=request.authorization if target == call.origin else None)
        raise odd(str(call.origin), f"redirects more than {_MOST_REDIRECTS} times")


def _verified(answer: Response, expected: Digest | None = None) -> Digest:
    """Return the digest of a body, which must be the expected one, or that of the header, where there is one."""
    expected = expected or distribution.parse_digest(answer.headers.get("Docker-Content-Digest"))
    digest = distribution.digest_of(answer.content, expected)
    if expected not in {None, digest}:
        raise odd(answer.url, f"sent bytes that are not those of {expected}")
    return digest
