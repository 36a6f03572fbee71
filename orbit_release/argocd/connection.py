"""How Argo CD's server is reached: what ARGOCD_SERVER and ARGOCD_OPTS say."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from orbit_release.errors import UsageError

_SERVER = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:]+\](:[0-9]+)?", re.ASCII)
_HEADER = ("header", "H")
_NEXT_HEADER = r",(?=[\w-]+:)"
_OFF = ("false", "0", "f")
_OPTS_HINT = "write them as for argocd: --insecure --plaintext --grpc-web-root-path PATH --header 'NAME: VALUE'."


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a server's API is, and how it is spoken to; `headers` may hold the secrets of an access proxy."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verify: bool = True
    server_certificate: str | None = None

    @classmethod
    def parse(cls, server: str, options: str) -> Connection:
        """Read ARGOCD_SERVER (`host`, `host:port`) and ARGOCD_OPTS; options that say nothing about HTTP are ignored."""
        given = list(_options(options))
        values = dict(given)
        flags = [name for name, value in values.items() if value.lower() not in _OFF]
        scheme = "http" if "plaintext" in flags else "https"
        address = server.removeprefix("https://").rstrip("/")
        if not _SERVER.fullmatch(address):
            raise UsageError("ARGOCD_SERVER is no server's address", "set it to host or host:port, without a scheme.")
        root = values.get("grpc-web-root-path", "").strip("/")
        headers = tuple(header for name, value in given if name in _HEADER for header in _headers(value))
        url = f"{scheme}://{address}{f'/{root}' if root else ''}"
        return cls(url, headers, verify="insecure" not in flags, server_certificate=values.get("server-crt") or None)


def option(options: str, name: str) -> str:
    return dict(_options(options)).get(name, "")


def secrets(options: str) -> Iterator[str]:
    """Yield what nobody should read of ARGOCD_OPTS: a token, and the headers for an access proxy."""
    with suppress(UsageError):  # which is told where they are used
        for name, value in _options(options):
            if name == "auth-token":
                yield value
            elif name in _HEADER:
                yield from (text for _, text in _headers(value))


def _options(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each option, as `--name value`, `--name=value` or, for flags, `--name`.

    As Argo CD's own program does: the next word is the value unless it begins another option (util/config/env.go).
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError("ARGOCD_OPTS has a quote that does not end", _OPTS_HINT) from error
    for word, following in pairwise([*words, "--"]):
        if _begins_option(word):
            name, is_given, value = word.lstrip("-").partition("=")
            yield name, value if is_given else "true" if _begins_option(following) else following


def _begins_option(word: str) -> bool:
    return word.startswith("--") or word == "-H"


def _headers(text: str) -> Iterator[tuple[str, str]]:
    """Yield the headers of one option: `NAME: VALUE`, several separated by commas, in quotes if they hold one."""
    try:
        is_quoted = text.startswith('"')
        parts = next(csv.reader([text], skipinitialspace=True)) if is_quoted else re.split(_NEXT_HEADER, text)
    except csv.Error:
        parts = [""]
    for part in parts:
        name, colon, value = part.partition(":")
        is_value = value.isprintable() and value.isascii()
        if not colon or not re.fullmatch(r"[\w-]+", name.strip(), re.ASCII) or not is_value:
            raise UsageError("ARGOCD_OPTS has a --header that is none", _OPTS_HINT)  # it may be a secret: not shown
        yield name.strip(), value.strip()
