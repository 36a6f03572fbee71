"""The configuration file of the argocd command: the servers that somebody has logged in to."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from orbit_release.errors import ConfigurationError, InvalidError
from orbit_release.manifests.texts.yaml_nodes import Node, is_true, items, read, text

_FLAGS = {"plain-text": "--plaintext", "insecure": "--insecure"}


@dataclass(frozen=True, slots=True)
class SavedLogin:
    """A server (`host`, `host:port`), the token for it, and how it is spoken to, as options of argocd."""

    server: str
    token: str = field(repr=False)
    options: str


def read_login(data: bytes, where: str, *, server: str = "", context: str = "") -> SavedLogin | None:
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
    user, host = _entry(root, "users", "name", text(entry, "user")), _entry(root, "servers", "server", address)
    options = [flag for key, flag in _FLAGS.items() if is_true(host, key)]
    if path := text(host, "grpc-web-root-path"):
        options += ["--grpc-web-root-path", path]
    return SavedLogin(address, text(user, "auth-token"), shlex.join(options))


def _entry(root: Node | None, where: str, key: str, wanted: str) -> Node | None:
    return next((entry for entry in items(root, where) if text(entry, key) == wanted), None)
