"""OCI registries: which image a tag names, and one more tag for an image.

Only 404 means absent. Whatever passes (429, 5xx, lost connections) is tried again, within a budget of time.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from random import random as fraction
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError, MaxRetryError

from orbit_release.errors import (
    AccessError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    OrbitReleaseError,
    UnavailableError,
)
from orbit_release.image import Digest, Repository, Tag
from orbit_release.registry import distribution
from orbit_release.registry.challenge import Challenge, parse_token
from orbit_release.registry.credentials import Credentials, DockerConfig, parse_helper_answer, server_name
from orbit_release.registry.distribution import GHCR, Origin
from orbit_release.text import reason_of

_CONNECT_SECONDS, _READ_SECONDS, _HELPER_SECONDS = 10.0, 20.0, 30.0
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.5, 16.0
_TRIES, _TRIES_TO_CONNECT = 8, 3
_PASSING = frozenset({429, *range(500, 600)})
_REDIRECTS, _MOST_REDIRECTS = frozenset({301, 302, 303, 307, 308}), 5
# Registries may refuse OCI manifests that are larger, and configurations are far smaller.
_MOST_BYTES, _CHUNK_BYTES = 4 * 1024 * 1024, 64 * 1024
_TAGS_SHOWN = 5
_HEADERS = {"User-Agent": "orbit-release", "Accept-Encoding": "identity"}
_RETRY_HINT = "Check the network, the proxy and the registry's status page, then run this again."
_ODD_HINT = "Is this the address of a registry? If so, tell its operator."
_OWN_HINT = "Make the file readable for the user who runs this."
_LOST_HINT = "Push the image again."
_MOVED_HINT = "The tag was pushed again: leave the digest out to take the registry's, or name another tag."
_PUSHED_HINT = "Was the build pushed?  orbit-release plan --registry"


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """What a registry has under a tag, and the commit (its full name) on the image's revision label."""

    digest: Digest
    revision: str | None


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    origin: Origin
    status: int
    headers: Mapping[str, str]
    body: bytes
    next_page: str

    @property
    def digest(self) -> Digest | None:
        return distribution.parse_digest(self.headers.get("Docker-Content-Digest"))


@dataclass(frozen=True, slots=True)
class _Fault:
    """What may pass: how often to try, and the seconds that the server asks to wait."""

    what: str
    tries: int = _TRIES
    asked: float = 0.0


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the public interface: all that it sends shares a scope and a deadline."""

    repository: Repository
    origin: Origin
    pushes: bool
    deadline: float

    @property
    def host(self) -> str:
        return self.repository.host or "docker.io"

    @property
    def scope(self) -> str:
        actions = "pull,push" if self.pushes else "pull"
        return f"repository:{distribution.remote_path(self.repository)}:{actions}"

    def url(self, what: str) -> str:
        return urljoin(f"{self.origin}/v2/{distribution.remote_path(self.repository)}/", what)


class _Local(threading.local):
    """A session for each thread: requests does not promise that threads can share one."""

    def __init__(self) -> None:
        self.session = requests.Session()


@dataclass(frozen=True, slots=True)
class _Transport:
    """Sends requests until an answer comes that is worth reading, within tries and time."""

    sleep: Callable[[float], None]
    clock: Callable[[], float]
    random: Callable[[], float]
    local: _Local = field(default_factory=_Local)

    def send(self, request: _Request, authorization: str | None, deadline: float) -> _Answer:
        tries = 0
        while isinstance(outcome := self._try(request, authorization, deadline), _Fault):
            backoff = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2**tries) * self.random()
            pause = max(outcome.asked, backoff)
            tries += 1
            if tries >= outcome.tries or self.clock() + pause > deadline:
                asks = f", asking to wait {outcome.asked:.0f} s" if outcome.asked else ""
                what = f"{urlsplit(request.url).netloc} does not answer: {outcome.what}{asks} (tries: {tries})"
                raise UnavailableError(what, _RETRY_HINT)
            self.sleep(pause)
        return outcome

    def _try(self, request: _Request, authorization: str | None, deadline: float) -> _Answer | _Fault:
        try:
            answer = self._once(request, authorization, deadline)
        except (requests.RequestException, HTTPError, ValueError) as error:  # ValueError: a redirect to no address
            unconnected = bool(error.args) and isinstance(error.args[0], MaxRetryError)
            return _Fault(reason_of(error), _TRIES_TO_CONNECT if unconnected else _TRIES)
        if answer.status not in _PASSING:
            return answer
        asked, date = answer.headers.get("Retry-After", ""), answer.headers.get("Date", "")
        return _Fault(f"HTTP {answer.status}", asked=distribution.retry_after(asked, date) or 0.0)

    def _once(self, request: _Request, authorization: str | None, deadline: float) -> _Answer:
        origin = Origin.parse(request.url)
        if origin is None:
            raise UnavailableError(f"no registry has the address {request.url!r}", _ODD_HINT)
        # The environment names proxies and certificates; neither is meant for this machine itself.
        self.local.session.trust_env = not origin.is_loopback
        left = max(0.001, deadline - self.clock())
        with self.local.session.request(
            request.method,
            request.url,
            data=request.body,
            headers={**_HEADERS, **request.headers, "Authorization": authorization},
            auth=lambda prepared: prepared,  # given, it keeps requests from taking passwords out of ~/.netrc
            timeout=(min(_CONNECT_SECONDS, left), min(_READ_SECONDS, left)),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = self._body(response, origin, deadline)
            next_page = response.links.get("next", {}).get("url", "")
            return _Answer(origin, response.status_code, response.headers, body, next_page)

    def _body(self, response: requests.Response, origin: Origin, deadline: float) -> bytes:
        """Read what comes as it comes: a server that drips must not outlive the deadline."""
        body = b""
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if self.clock() > deadline:
                raise requests.Timeout
            if len(body) > _MOST_BYTES:
                raise _odd(origin, f"answers with more than {_MOST_BYTES} bytes")
        return body


def _odd(origin: Origin, what: str) -> UnavailableError:
    return UnavailableError(f"{origin.netloc} {what}", _ODD_HINT)


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
    ) -> None:
        """Know the credentials in Docker's folder and a token for ghcr.io; `budget`: seconds for a call.

        Every secret that comes up is told to `on_secret`, with the user name that belongs to it (or "").
        """
        self._on_secret = on_secret
        self._github_token, self._docker_config, self._budget = github_token, docker_config, budget
        self._transport = _Transport(sleep, clock, random)
        self._lock = threading.Lock()
        self._known: dict[str, Credentials | None] = {}
        self._challenges: dict[Origin, Challenge | None] = {}
        self._tokens: dict[tuple[str, str, str], str] = {}

    def image(self, repository: Repository, name: Tag | Digest) -> RemoteImage | None:
        """Return what a tag or digest names; None when there is no such image."""
        call = self._call(repository)
        manifest = self._ask(call, "GET", f"manifests/{name}")
        if manifest is None:
            return None
        digest = _verified(manifest, name if isinstance(name, Digest) else manifest.digest)
        return RemoteImage(digest, self._revision(call, manifest.body))

    def has(self, repository: Repository, name: Tag | Digest) -> bool:
        """Whether there is an image under a tag or digest; asked without taking it, which registries count."""
        return self._ask(self._call(repository), "HEAD", f"manifests/{name}") is not None

    def copy_tag(self, repository: Repository, source: Digest, tag: Tag) -> None:
        """Point a tag at an image that is in the repository already; the digest stays."""
        call = self._call(repository, pushes=True)
        manifest = self._ask(call, "GET", f"manifests/{source}")
        if manifest is None:
            raise NotFoundError(f"{repository} has no image {source}", _PUSHED_HINT)
        _verified(manifest, source)
        if self._ask(call, "PUT", f"manifests/{tag}", manifest) is None:
            raise NotFoundError(f"{repository} has lost parts of {source}", _LOST_HINT)

    def require(self, repository: Repository, tag: Tag, digest: Digest | None = None) -> Digest:
        """Return the digest of a tag that must exist, and must name `digest` where one is given."""
        call = self._call(repository)
        manifest = self._ask(call, "GET", f"manifests/{tag}")
        if manifest is None:
            raise NotFoundError(f"{repository} has no tag {tag}", self._tags_hint(call))
        found = _verified(manifest, manifest.digest)
        if digest not in {None, found}:
            raise ConflictError(f"{repository}:{tag} is {found}, not {digest}", _MOVED_HINT)
        return found

    def _call(self, repository: Repository, *, pushes: bool = False) -> _Call:
        deadline = self._transport.clock() + self._budget
        return _Call(repository, Origin.of_registry(repository), pushes, deadline)

    def _revision(self, call: _Call, manifest: bytes) -> str | None:
        if platform := distribution.first_platform(manifest):
            manifest = self._part(call, "manifests", platform)
        config = distribution.config_of(manifest)
        return distribution.revision_of(self._part(call, "blobs", config)) if config else None

    def _part(self, call: _Call, kind: str, digest: Digest) -> bytes:
        answer = self._ask(call, "GET", f"{kind}/{digest}")
        if answer is None:
            raise UnavailableError(f"{call.repository} has lost {digest}, a part of an image", _LOST_HINT)
        _verified(answer, digest)
        return answer.body

    def _tags_hint(self, call: _Call) -> str:
        tags: list[str] = []
        query = "n=1000"
        try:
            while query and (page := self._ask(call, "GET", f"tags/list?{query}")):
                tags += distribution.commit_tags(page.body)
                query = page.next_page.partition("?")[2]  # the rest could lead to another host
        except OrbitReleaseError:
            return _PUSHED_HINT
        there = ", ".join(tags[: -_TAGS_SHOWN - 1 : -1]) or "no sha- tag yet"
        return f"Tags there: {there}. {_PUSHED_HINT}"

    def _ask(self, call: _Call, method: str, what: str, put: _Answer | None = None) -> _Answer | None:
        """Ask as whom the registry wants; None for 404, and whatever else is no success is raised."""
        headers = {"Accept": distribution.ACCEPT} if what.startswith("manifests/") else {}
        if put:
            headers["Content-Type"] = put.headers.get("Content-Type", "")
        request = _Request(method, call.url(what), headers, put.body if put else None)
        sent = self._authorization(call, refused=None)
        answer = self._follow(call, request, sent)
        if answer.status == HTTPStatus.UNAUTHORIZED and answer.origin == call.origin:
            challenge = Challenge.parse(answer.headers.get("WWW-Authenticate", ""))
            self._challenges[call.origin] = challenge or self._challenges.get(call.origin)
            if (renewed := self._authorization(call, refused=sent)) != sent:
                answer = self._follow(call, request, renewed)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        return self._accepted(call, answer)

    def _follow(self, call: _Call, request: _Request, authorization: str | None) -> _Answer:
        """Follow redirects, which blobs have; who is not the registry itself never sees the credentials."""
        for _ in range(_MOST_REDIRECTS):
            answer = self._transport.send(request, authorization, call.deadline)
            if answer.status not in _REDIRECTS or request.body is not None:
                return answer
            request = replace(request, url=urljoin(request.url, answer.headers.get("Location", "")))
            target = Origin.parse(request.url)
            if not call.origin.allows(target):
                raise _odd(answer.origin, "redirects to an address that is not https")
            authorization = authorization if target == call.origin else None
        raise _odd(call.origin, f"redirects more than {_MOST_REDIRECTS} times")

    def _accepted(self, call: _Call, answer: _Answer) -> _Answer:
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        said = distribution.complaint(answer.body, self._secrets())
        what = f"{answer.origin.netloc}: HTTP {answer.status}" + (f", {said}" if said else "")
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise AccessError(f"access to {call.repository} denied ({what})", _login_hint(call))
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED and call.pushes:
            hint = "Ask its operator whether it is a mirror or under maintenance."
            raise AccessError(f"{call.host} is read-only ({what})", hint)
        raise UnavailableError(f"{call.repository}: unexpected answer ({what})", _ODD_HINT)

    def _authorization(self, call: _Call, *, refused: str | None) -> str | None:
        """Return what the registry's last challenge asks for; a token that was refused is replaced."""
        challenge = self._challenges.get(call.origin)
        if challenge is None:
            return None
        if not challenge.bearer:
            credentials = self._credentials(call)
            return credentials.basic if credentials and not credentials.is_identity_token else None
        key = (challenge.realm, challenge.service, call.scope)
        token = self._tokens.get(key)
        if token is None or refused == f"Bearer {token}":
            token = self._tokens[key] = self._token(call, challenge)
        return f"Bearer {token}"

    def _token(self, call: _Call, challenge: Challenge) -> str:
        if not challenge.is_trusted(call.origin):
            raise AccessError(f"{call.host} names a token server that it must not", _ODD_HINT)
        url, authorization, form = challenge.token_request(call.scope, self._credentials(call))
        request = _Request("POST" if form else "GET", url, body=form)
        answer = self._transport.send(request, authorization, call.deadline)
        token = parse_token(self._accepted(call, answer).body)
        if token is None:
            raise _odd(answer.origin, "answers with something that is no token")
        self._on_secret(token, "")
        return token

    def _credentials(self, call: _Call) -> Credentials | None:
        with self._lock:
            if call.host not in self._known:
                found = self._known[call.host] = self._look_up(call)
                if found:
                    self._on_secret(found.secret, found.username)
                    self._on_secret(found.basic.removeprefix("Basic "), "")
            return self._known[call.host]

    def _look_up(self, call: _Call) -> Credentials | None:
        config = _read_config(self._docker_config)
        helper = config.helper(call.host)
        found = _run_helper(helper, call.host, min(_HELPER_SECONDS, self._budget)) if helper else None
        found = found or config.credentials(call.host)
        if found is None and call.origin == GHCR and self._github_token:
            return Credentials("x-access-token", self._github_token)
        return found

    def _secrets(self) -> list[str]:
        known = [credentials for credentials in list(self._known.values()) if credentials]
        encoded = [credentials.basic.removeprefix("Basic ") for credentials in known]
        return [*list(self._tokens.values()), *(credentials.secret for credentials in known), *encoded]


def _verified(answer: _Answer, expected: Digest | None) -> Digest:
    """Return the digest of a body, which must be the expected one where one is known."""
    found = distribution.digest_of(answer.body, expected)
    if expected not in {None, found}:
        raise _odd(answer.origin, f"sent bytes that are not those of {expected}")
    return found


def _login_hint(call: _Call) -> str:
    if call.origin != GHCR:
        allowed = "push to" if call.pushes else "pull from"
        return f"Run `docker login {call.host}` with an account that may {allowed} it."
    needed = f"{'write' if call.pushes else 'read'}:packages and access granted by the package"
    return f"Set GITHUB_TOKEN or `docker login ghcr.io`; it needs {needed} (a missing one is denied, too)."


def _read_config(folder: Path | None) -> DockerConfig:
    try:
        return DockerConfig.parse((folder / "config.json").read_bytes()) if folder else DockerConfig()
    except (FileNotFoundError, NotADirectoryError):
        return DockerConfig()
    except OSError as error:
        raise ConfigurationError(f"cannot read {error.filename}: {error.strerror}", _OWN_HINT) from error


def _run_helper(program: str, host: str, seconds: float) -> Credentials | None:
    """Ask a credential helper; what it prints is never shown, it may be a secret."""
    asked = server_name(host)
    try:
        done = subprocess.run([program, "get"], input=asked.encode(), capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        fault = f"does not answer within {seconds:.0f} s"
    except OSError as error:
        fault = f"cannot be run: {error.strerror}"
    else:
        if done.returncode == 0 or b"credentials not found" in done.stdout:
            return parse_helper_answer(done.stdout)
        fault = f"failed with exit code {done.returncode}"
    hint = f"Docker's config.json names it for {host}; try:  echo {asked} | {program} get"
    raise AccessError(f"{program} {fault}", hint)
