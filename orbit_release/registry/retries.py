"""One call of the public interface: what it is about, how its requests are sent, and what an answer means for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from orbit_release.errors import AccessError, OrbitReleaseError, UnavailableError
from orbit_release.http import FAULTS, HttpSession, Response, TooLargeError, WebOrigin, is_unconnected, reason_of
from orbit_release.image import Repository
from orbit_release.registry.distribution import GHCR, complaint, retry_after

_ANSWER_SECONDS = 20.0
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.5, 16.0
_TRIES, _TRIES_TO_CONNECT = 8, 3
_PASSING = frozenset({408, 429, *range(500, 600)})
# Registries may refuse OCI manifests that are larger, and configurations are far smaller.
_MOST_BYTES = 4 * 1024 * 1024
_RETRY_HINT = "Check the network, the proxy and the registry's status page, then run this again."
ODD_HINT = "Is this the address of a registry? If so, tell its operator."


def odd(url: str, what: str) -> UnavailableError:
    """Return what to tell about a server that no registry should be."""
    return UnavailableError(f"{urlsplit(url).netloc} {what}", ODD_HINT)


@dataclass(frozen=True, slots=True)
class Call:
    """All that is sent for it shares a scope and a deadline."""

    repository: Repository
    origin: WebOrigin
    pushes: bool
    deadline: float

    @property
    def host(self) -> str:
        return self.repository.registry

    @property
    def scope(self) -> str:
        actions = "pull,push" if self.pushes else "pull"
        return f"repository:{self.repository.remote}:{actions}"

    def url(self, what: str) -> str:
        return urljoin(f"{self.origin}/v2/{self.repository.remote}/", what)

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


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    authorization: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _PassingFault:
    """What may pass: how often to try, and the seconds that the server asks to wait."""

    what: str
    tries: int = _TRIES
    asked: float = 0.0


class _Local(threading.local):
    def __init__(self) -> None:
        self.session = HttpSession(_MOST_BYTES)
        self.session.headers["Accept-Encoding"] = "identity"


@dataclass(frozen=True, slots=True)
class Retries:
    """Sends requests until an answer comes that is worth reading, within tries and time."""

    sleep: Callable[[float], None]
    clock: Callable[[], float]
    random: Callable[[], float]
    local: _Local = field(default_factory=_Local)

    def send(self, request: Request, deadline: float) -> Response:
        tries = 0
        while isinstance(outcome := self._try(request, deadline), _PassingFault):
            backoff = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2**tries) * self.random()
            pause = max(outcome.asked, backoff)
            tries += 1
            if tries >= outcome.tries or self.clock() + pause > deadline:
                asks = f", asking to wait {outcome.asked:.0f} s" if outcome.asked else ""
                what = f"{urlsplit(request.url).netloc} does not answer: {outcome.what}{asks} (tries: {tries})"
                raise UnavailableError(what, _RETRY_HINT)
            self.sleep(pause)
        return outcome

    def _try(self, request: Request, deadline: float) -> Response | _PassingFault:
        if WebOrigin.parse(request.url) is None:
            raise UnavailableError(f"no registry has the address {request.url!r}", ODD_HINT)
        try:
            answer = self.local.session.request(
                request.method,
                request.url,
                data=request.body,
                headers={**request.headers, "Authorization": request.authorization},
                timeout=min(_ANSWER_SECONDS, max(0.001, deadline - self.clock())),
            )
        except TooLargeError as error:
            raise odd(request.url, f"answers with {error}") from error
        except FAULTS as error:
            return _PassingFault(reason_of(error), _TRIES_TO_CONNECT if is_unconnected(error) else _TRIES)
        if answer.status_code not in _PASSING:
            return answer
        asked = retry_after(answer.headers.get("Retry-After", ""), answer.headers.get("Date", ""))
        return _PassingFault(f"HTTP {answer.status_code}", asked=asked or 0.0)
