"""One policy for every server: where a secret may travel, how long an answer may take, and how large it may be.

- A secret travels by https, or to this machine itself.
- A redirect is an answer like any other. Who asked decides what it means, so `Authorization` never follows one.
- Proxies and certificates of the environment are for other machines. ~/.netrc and cookies are for nobody.
- A timeout is for the whole answer, from the connection to its last byte, also where a server drips. Nothing is sent
  after it. (Looking up the address of a name is the system's, and so is TLS within the TLS of an https proxy.)
- The limit of an answer's size counts what is read out of it, so also what was compressed.
"""

from __future__ import annotations

import io
import ipaddress
import json
import re
import socket
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, disable_warnings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InsecureRequestWarning, MaxRetryError, NewConnectionError

from orbit_release.text import without, without_passwords

Response = requests.Response
# What a session raises where no answer comes. Errors of requests are OSErrors; ValueError: a redirect to no address.
FAULTS = (OSError, ValueError)
_CHUNK_BYTES = _LINE_BYTES = 64 * 1024
_MOMENT = 0.001  # seconds
_LONGEST_QUOTE = 200  # characters
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# When the answer that is waited for must be here, in the seconds of `monotonic`.
_ENDS: ContextVar[float] = ContextVar("ends")


@dataclass(frozen=True, slots=True)
class WebOrigin:
    """Where an address leads: its scheme, host and port (a default port is left out)."""

    scheme: str
    netloc: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    def allows(self, target: WebOrigin | None) -> bool:
        """Whether a server here may send its client on to `target`: https, or loopback from loopback."""
        if target is None:
            return False
        return is_loopback(str(self)) if is_loopback(str(target)) else target.scheme == "https"

    @classmethod
    def parse(cls, url: str) -> WebOrigin | None:
        """Read an absolute URL; None where it names a user or two parsers may disagree about the host."""
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port is not None else ""
        except ValueError:
            return None
        dubious = not url.isascii() or not url.isprintable() or any(mark in url for mark in " \\")
        if dubious or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
            return None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(parts.scheme, host + ("" if port == _DEFAULT_PORTS[parts.scheme] else port))


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine itself, where http is as good as https."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_secure(url: str) -> bool:
    """Whether a secret may travel there."""
    return urlsplit(url).scheme == "https" or is_loopback(url)


def is_token(text: str) -> bool:
    """Whether a header can carry it; the error of who sends anything else quotes the header."""
    return bool(_TOKEN.fullmatch(text))


def parse_json(content: bytes) -> Any:
    """Read JSON that somebody else wrote; None when it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def quoted(said: str, secrets: Iterable[str] = ()) -> str:
    """Return what a server says as one short line, with the secrets blotted out that it may quote."""
    shown = "".join(character if character.isprintable() else " " for character in without(secrets, said))
    return " ".join(shown.split())[:_LONGEST_QUOTE]


def reason_of(error: BaseException) -> str:
    """Name the innermost cause; the outer ones quote addresses, which may be signed."""
    root = _root(error)
    if is_timeout(root):
        return "timed out"
    if isinstance(root, OSError):
        return root.strerror or type(root).__name__
    return quoted(without_passwords(str(root)))


def is_timeout(error: BaseException) -> bool:
    root = _root(error)
    return isinstance(root, TimeoutError) or type(root).__name__.endswith("Timeout")


def is_unconnected(error: BaseException) -> bool:
    """Whether there was not even a connection."""
    return bool(error.args) and isinstance(error.args[0], MaxRetryError)


def _root(error: BaseException) -> BaseException:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error


class TooLargeError(requests.RequestException):
    """An answer is larger than its limit; the message says `more than N bytes`."""


class HttpSession(requests.Session):
    """What requests go through; not for several threads. `timeout` of a request: seconds for all of its answer."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self.headers["User-Agent"] = "orbit-release"
        self.auth = lambda prepared: prepared  # given, it keeps requests from taking passwords out of ~/.netrc
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(most_bytes))

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **given: Any) -> requests.Response:
        self.trust_env = not is_loopback(str(url))
        if given.get("verify") is False:  # somebody asked for it
            disable_warnings(InsecureRequestWarning)
        return super().request(method, url, *args, **{**given, "allow_redirects": False})


class _Adapter(HTTPAdapter):
    """Sends a request and reads its answer to the end, within the limits."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes

    def init_poolmanager(self, *args: Any, **given: Any) -> None:
        super().init_poolmanager(*args, **given)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **given: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **given)
        if not proxy.lower().startswith("socks"):  # connections through those are made otherwise
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **given: Any) -> requests.Response:
        ends = _ENDS.set(monotonic() + given["timeout"])
        try:
            response = super().send(request, *args, **given)
            response.raw = io.BytesIO(self._body(response))
        except HTTPError as error:
            raise requests.ConnectionError(error, request=request) from error
        finally:
            _ENDS.reset(ends)
        return response

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        try:
            for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > self._most_bytes:
                    raise TooLargeError(f"more than {self._most_bytes} bytes")
        finally:
            response.raw.close()
        return bytes(body)


def _left() -> float:
    """Return the seconds until the answer must be here; a moment, where there are none."""
    return max(_ENDS.get() - monotonic(), _MOMENT)


def _limit(sock: socket.socket) -> None:
    """Let the next step take what is left, and no step begin once that is nothing."""
    if monotonic() >= _ENDS.get():
        raise TimeoutError("timed out")
    sock.settimeout(_left())


class _Arriving(io.RawIOBase):
    """What arrives at a socket. No read takes longer than what is left of the time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._socket = raw, sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        _limit(self._socket)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Lines(io.BufferedReader):
    """Lines end somewhere: urllib3 reads those between the chunks of an answer however long they are."""

    def readline(self, size: int | None = -1) -> bytes:
        return super().readline(_LINE_BYTES if size is None or size < 0 else size)


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **given: Any) -> None:
        super().__init__(sock, *args, **given)
        self.fp = _Lines(_Arriving(self.fp.detach(), sock))


class _TimedConnection(HTTPConnection):
    """Connects, sends and reads before the answer must be here."""

    response_class = _Response

    def _new_conn(self) -> socket.socket:
        try:
            return self._connected()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "timed out") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def _connected(self) -> socket.socket:
        """Try the addresses of the host one after the other; each gets its share of the time."""
        fault = OSError("has no address")
        addresses = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(_left() / (len(addresses) - tried))
            try:
                connection.connect(address)
            except OSError as error:
                connection.close()
                fault = error
                continue
            for option in self.socket_options or ():
                connection.setsockopt(*option)
            connection.settimeout(_left())  # for a handshake, or what is sent
            return connection
        raise fault

    def _tunnel(self) -> None:
        super()._tunnel()
        _limit(self.sock)  # the handshake, which follows

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _limit(self.sock)
        super().send(data)


class _TimedSecureConnection(_TimedConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _TimedSecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}
