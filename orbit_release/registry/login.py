"""Who we are to a registry: the credentials of Docker and GitHub, and the tokens that they obtain."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from orbit_release.errors import AccessError, ConfigurationError
from orbit_release.http import WebOrigin
from orbit_release.registry.call import Call
from orbit_release.registry.challenge import Challenge, parse_token
from orbit_release.registry.credentials import Credentials, DockerConfig, parse_helper_answer, server_name
from orbit_release.registry.distribution import GHCR
from orbit_release.registry.retries import ODD_HINT, Request, Retries, odd

_HELPER_SECONDS = 30.0
_OWN_HINT = "Make the file readable for the user who runs this."


@dataclass
class Login:
    """What is known of us and of registries' challenges; threads may share it.

    `seconds`: how long a credential helper may take; `on_secret`: as for `Registry`.
    """

    retries: Retries
    github_token: str | None
    docker_config: Path | None
    seconds: float
    on_secret: Callable[[str, str], None]
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

    def secrets(self) -> list[str]:
        """Return all that an answer may quote and nobody should read."""
        known = [credentials for credentials in list(self._known.values()) if credentials]
        encoded = [credentials.basic.removeprefix("Basic ") for credentials in known]
        return [*list(self._tokens.values()), *(credentials.secret for credentials in known), *encoded]

    def _obtain_token(self, call: Call, challenge: Challenge) -> str:
        if not challenge.is_trusted(call.origin):
            raise AccessError(f"{call.host} names a token server that it must not", ODD_HINT)
        url, authorization, form = challenge.token_request(call.scope, self._credentials(call))
        request = Request("POST" if form else "GET", url, body=form)
        answer = self.retries.send(request, authorization, call.deadline)
        if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            raise call.refusal(answer, self.secrets())
        token = parse_token(answer.content)
        if token is None:
            raise odd(url, "answers with something that is no token")
        self.on_secret(token, "")
        return token

    def _credentials(self, call: Call) -> Credentials | None:
        with self._lock:
            if call.host not in self._known:
                credentials = self._known[call.host] = self._look_up(call)
                if credentials:
                    self.on_secret(credentials.secret, credentials.username)
                    self.on_secret(credentials.basic.removeprefix("Basic "), "")
            return self._known[call.host]

    def _look_up(self, call: Call) -> Credentials | None:
        config = _read_config(self.docker_config)
        helper = config.helper(call.host)
        credentials = _run_helper(helper, call.host, min(_HELPER_SECONDS, self.seconds)) if helper else None
        credentials = credentials or config.credentials(call.host)
        if credentials is None and call.origin == GHCR and self.github_token:
            return Credentials("x-access-token", self.github_token)
        return credentials


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
