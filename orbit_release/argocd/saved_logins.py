"""The configuration file of the argocd command: the servers that somebody has logged in to."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from orbit_release.errors import ConfigurationError, InvalidError
from orbit_release.manifests.nodes import Node, is_true, items, read, text

_FLAGS = {"plain-text": "--plaintext", "insecure": "--insecure"}


@dataclass(frozen=True, slots=True)
class Login:
    """A server (`host`, `host:port`), the token for it, and how it is spoken to, as options of argocd."""

    server: str
    token: str = field(repr=False)
    options: str


def read_login(data: bytes, where: str, *, server: str = "", context: str = "") -> Login | None:
    """Return the login of a context (by default the current one), or that at a server; None if there is none.

    A token never goes to another server than the one that it was got from.
    """
    try:
        root = next(iter(read(data, where)), None)
    except InvalidError as error:
        raise ConfigurationError(f"{where} is not YAML", "log in again: argocd login SERVER.") from error
    key, wanted = ("server", server) if server else ("name", context or text(root, "current-context"))
    entry = _entry(root, "contexts", key, wanted)
    if entry is None:
        return None
    address = text(entry, "server")
    user = _entry(root, "users", "name", text(entry, "user"))
    return Login(address, text(user, "auth-token"), _options(_entry(root, "servers", "server", address)))


def _entry(root: Node | None, where: str, key: str, wanted: str) -> Node | None:
    return next((entry for entry in items(root, where) if text(entry, key) == wanted), None)


def _options(server: Node | None) -> str:
    flags = [flag for key, flag in _FLAGS.items() if is_true(server, key)]
    root = text(server, "grpc-web-root-path")
    return " ".join([*flags, *(["--grpc-web-root-path", shlex.quote(root)] if root else [])])
