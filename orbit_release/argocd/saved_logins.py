"""The configuration file of the argocd command: the servers that somebody has logged in to."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from orbit_release.errors import ConfigurationError

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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
        root = yaml.load(data, Loader=_LOADER)  # noqa: S506  (the safe loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where} is not YAML", "log in again: argocd login SERVER.") from error
    contexts, servers, users = (list(_entries(root, key)) for key in ("contexts", "servers", "users"))
    current = context or _text(root, "current-context")
    for one in contexts:
        if _text(one, "server") == server if server else _text(one, "name") == current:
            at = next((entry for entry in servers if _text(entry, "server") == _text(one, "server")), {})
            user = next((entry for entry in users if _text(entry, "name") == _text(one, "user")), {})
            return Login(_text(one, "server"), _text(user, "auth-token"), _options(at))
    return None


def _options(server: dict[str, Any]) -> str:
    flags = [flag for key, flag in _FLAGS.items() if server.get(key) is True]
    root = _text(server, "grpc-web-root-path")
    return " ".join([*flags, *(["--grpc-web-root-path", shlex.quote(root)] if root else [])])


def _entries(root: Any, key: str) -> Iterator[dict[str, Any]]:
    found = root.get(key) if isinstance(root, dict) else None
    yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
