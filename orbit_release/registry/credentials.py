"""Credentials for registries, and where Docker's configuration file keeps them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orbit_release.errors import AccessError, ConfigurationError
from orbit_release.http import parse_json
from orbit_release.image import DOCKER_HUB, DOCKER_HUB_HOSTS

# What credential helpers call the user of an identity token.
_IDENTITY_TOKEN = "<token>"  # noqa: S105
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name with a password, or an identity token (an OAuth refresh token), which only a token server takes."""

    username: str
    secret: str = field(repr=False)

    @property
    def is_identity_token(self) -> bool:
        return self.username == _IDENTITY_TOKEN

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


def server_name(host: str) -> str:
    """Return what credential helpers call a registry."""
    return "https://index.docker.io/v1/" if host in DOCKER_HUB_HOSTS else host


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The part of Docker's `config.json` that is about credentials, by host."""

    stored: Mapping[str, Credentials | None] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str | None = None

    def credentials(self, host: str) -> Credentials | None:
        """Return what the file itself holds for a host."""
        return self.stored.get(_host(host))

    def helper(self, host: str) -> str | None:
        """Return the name of the program that knows the credentials of a host: `docker-credential-…`."""
        name = self.helpers.get(_host(host), self.store)
        return f"docker-credential-{name}" if name else None

    @classmethod
    def parse(cls, text: bytes) -> DockerConfig:
        """Read `config.json`; ConfigurationError says what is wrong, never what the file holds."""
        try:
            document = json.loads(text)
            stored = {_host(server): _entry(entry or {}) for server, entry in (document.get("auths") or {}).items()}
            helpers = {_host(server): name for server, name in (document.get("credHelpers") or {}).items()}
            store = document.get("credsStore")
            if all(_HELPER.fullmatch(name) for name in [*helpers.values(), store] if name):
                return cls(stored, helpers, store)
        except (ValueError, AttributeError, TypeError):
            pass  # and is not told as the cause: its text quotes the file
        hint = "Correct it, or move it away and run `docker login` again."
        raise ConfigurationError("Docker's config.json is malformed", hint)


def _host(server: str) -> str:
    """Reduce a key, `https://ghcr.io/v2/` or `ghcr.io`, to its host; all names of Docker Hub are one."""
    host = server.partition("://")[2] or server
    host = host.partition("/")[0].lower()
    return DOCKER_HUB if host in DOCKER_HUB_HOSTS else host


def _entry(entry: Mapping[str, Any]) -> Credentials | None:
    if token := entry.get("identitytoken"):
        return Credentials(_IDENTITY_TOKEN, str(token))
    if encoded := entry.get("auth"):
        username, colon, password = base64.b64decode(encoded).decode().partition(":")
        if not colon:
            raise ValueError
        # Docker pads what it encodes with NUL bytes.
        return Credentials(username, password.rstrip("\0"))
    if entry.get("username") and entry.get("password"):
        return Credentials(str(entry["username"]), str(entry["password"]))
    return None


def read_config(folder: Path | None) -> DockerConfig:
    try:
        return DockerConfig.parse((folder / "config.json").read_bytes()) if folder else DockerConfig()
    except (FileNotFoundError, NotADirectoryError):
        return DockerConfig()
    except OSError as error:
        hint = "Make the file readable for the user who runs this."
        raise ConfigurationError(f"cannot read {error.filename}: {error.strerror}", hint) from error


def run_helper(program: str, host: str, seconds: float) -> Credentials | None:
    """Ask a credential helper; what it prints is never shown, it may be a secret."""
    asked = server_name(host)
    try:
        done = subprocess.run([program, "get"], input=asked.encode(), capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        fault = f"does not answer within {seconds:.0f} s"
    except OSError as error:
        fault = f"cannot be run: {error.strerror}"
    else:
        match parse_json(done.stdout):
            case {"Username": str(username), "Secret": str(secret)} if secret and not done.returncode:
                return Credentials(username, secret)
        if done.returncode == 0 or b"credentials not found" in done.stdout:
            return None
        fault = f"failed with exit code {done.returncode}"
    hint = f"Docker's config.json names it for {host}; try:  echo {asked} | {program} get"
    raise AccessError(f"{program} {fault}", hint)
