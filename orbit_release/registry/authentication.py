"""Who we are to a registry: what it asks for, where that may travel, and the tokens that we obtain.

https://distribution.github.io/distribution/spec/auth/
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from orbit_release.errors import AccessError
from orbit_release.http import WebOrigin, is_token, parse_json
from orbit_release.registry.credentials import Credentials, read_config, run_helper
from orbit_release.registry.distribution import GHCR
from orbit_release.registry.retries import ODD_HINT, Call, Request, Retries, odd

_HELPER_SECONDS = 30.0
_ITEM = re.compile(r'(?P<name>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,]+))|(?P<scheme>[\w-]+)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """A registry wants credentials (Basic), or a token (Bearer) from the server at `realm`."""

    bearer: bool
    realm: str
    service: str

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """Read `WWW-Authenticate`, which may hold several challenges; Bearer is preferred."""
        offers: dict[str, dict[str, str]] = {}
        values: dict[str, str] = {}
        for item in _ITEM.finditer(header):
            if item["scheme"]:
                values = offers.setdefault(item["scheme"].lower(), {})
            else:
                values[item["name"].lower()] = item["plain"] or re.sub(r"\\(.)", r"\1", item["quoted"] or "")
        for scheme in ("bearer", "basic"):
            if (offer := offers.get(scheme)) is not None:
                return cls(scheme == "bearer", offer.get("realm", ""), offer.get("service", ""))
        return None

    def is_trusted(self, registry: WebOrigin) -> bool:
        """Whether the credentials of a registry may travel to the realm; those of ghcr.io never leave it."""
        realm = WebOrigin.parse(self.realm)
        return registry.allows(realm) and (registry != GHCR or realm == GHCR)

    def token_request(self, scope: str, credentials: Credentials | None) -> Request:
        """Return what obtains a token; an identity token is traded in by a form."""
        wanted = {"service": self.service, "scope": scope}
        if credentials and credentials.is_identity_token:
            grant = {"grant_type": "refresh_token", "client_id": "orbit-release"}
            return Request("POST", self.realm, body=wanted | grant | {"refresh_token": credentials.secret})
        url = f"{self.realm}{'&' if '?' in self.realm else '?'}{urlencode(wanted)}"
        return Request("GET", url, credentials.basic if credentials else None)


@dataclass
class Login:
    """What is known of us and of registries' challenges; threads may share it.

    `seconds`: how long a credential helper may take; `on_secret`: as for `Registry`; `secrets`: all that an answer may
    quote and nobody should read.
    """

    retries: Retries
    github_token: str | None
    docker_config: Path | None
    seconds: float
    on_secret: Callable[[str, str], None]
    secrets: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[str, Credentials | None] = field(default_factory=dict)
    _challenges: dict[WebOrigin, Challenge] = field(default_factory=dict)
    _tokens: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def learn(self, call: Call, header: str) -> None:
        """Remember what a registry asks for in `WWW-Authenticate`."""
        if challenge := Challenge.parse(header):
            self._challenges[call.origin] = challenge

    def authorization(self, call: Call, *, refused: str | None) -> str | None:
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
            token = self._tokens[key] = self._obtain_token(call, challenge)
        return f"Bearer {token}"

    def _obtain_token(self, call: Call, challenge: Challenge) -> str:
        if not challenge.is_trusted(call.origin):
            raise AccessError(f"{call.host} names a token server that it must not", ODD_HINT)
        request = challenge.token_request(call.scope, self._credentials(call))
        answer = self.retries.send(request, call.deadline)
        if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise call.refusal(answer, self.secrets)
        match parse_json(answer.content):
            case {"token": str(token)} | {"access_token": str(token)} if is_token(token):
                self._hide(token)
                return token
        raise odd(request.url, "answers with something that is no token")

    def _credentials(self, call: Call) -> Credentials | None:
        with self._lock:
            if call.host not in self._known:
                credentials = self._known[call.host] = self._look_up(call)
                if credentials:
                    self._hide(credentials.secret, credentials.username)
                    self._hide(credentials.basic.removeprefix("Basic "))
            return self._known[call.host]

    def _hide(self, secret: str, username: str = "") -> None:
        self.secrets.append(secret)
        self.on_secret(secret, username)

    def _look_up(self, call: Call) -> Credentials | None:
        config = read_config(self.docker_config)
        helper = config.helper(call.host)
        credentials = run_helper(helper, call.host, min(_HELPER_SECONDS, self.seconds)) if helper else None
        credentials = credentials or config.credentials(call.host)
        if credentials is None and call.origin == GHCR and self.github_token:
            return Credentials("x-access-token", self.github_token)
        return credentials
