"""Addresses in texts that name a Service: `host:port`, URLs, DSNs and lists of brokers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_HOST = r"(?P<host>[a-z0-9](?:[a-z0-9-]*+(?<!-))?(?:\.[a-z0-9-]++)*+)"
# Not a part of a longer name, a path or an image; `(?:…@)?` swallows credentials, which may look like an address.
_URL = re.compile(
    rf"(?<![\w.$-])(?P<scheme>[a-z][a-z0-9+]*+)://(?:[^/@\s\"'<>]*@)?{_HOST}"
    r"(?::(?P<port>\d{1,5})(?![\w.:@$({-])|(?=[/?#\s\"'`,;)\]}>|<&\\]|\Z))"
)
_PAIR = re.compile(rf"(?<![\w.:/$%-]){_HOST}:(?P<port>\d{{2,5}})(?![\w.:@$({{-])")
# Below it a number behind a name is hardly a port: `postgres:16` is an image.
_LOWEST = 80


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port as a text has them, which starts at `position`."""

    host: str
    port: int
    position: int


def addresses(text: str) -> Iterator[Address]:
    """Yield the addresses in a text; a URL without a port means its scheme's."""
    for found in _URL.finditer(text):
        port = int(found["port"]) if found["port"] else _DEFAULT_PORTS.get(found["scheme"])
        if port:
            yield Address(found["host"], port, found.start("host"))
    for found in _PAIR.finditer(text):
        port = int(found["port"])
        if port >= _LOWEST:
            yield Address(found["host"], port, found.start("host"))


def service_names(host: str, namespace: str) -> Iterator[tuple[str, str, str]]:
    """Yield what a host may mean inside a cluster: pod (or ""), Service and namespace.

    `db`, `db.shop`, `db.shop.svc`, `db.shop.svc.cluster.local`, and each with a pod's name before it.
    """
    labels = host.split(".")
    is_full = "svc" in labels[2:]
    match labels[: labels.index("svc", 2)] if is_full else labels:
        case [name]:
            yield "", name, namespace
        case [first, second]:
            yield "", first, second
            if not is_full:
                yield first, second, namespace
        case [pod, name, space]:
            yield pod, name, space
