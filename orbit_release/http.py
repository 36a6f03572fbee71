"""One policy for every server: where a secret may travel, how long an answer may take, and how large it may be.

- A secret travels by https, or to this machine itself.
- A redirect is an answer like any other. Who asked decides what it means, so `Authorization` never follows one.
- Proxies and certificates of the environment are for other machines. ~/.netrc and cookies are for nobody.
- A timeout is for the whole answer, from the look-up of its address to its last byte, also where a server drips.
- The limit of an answer's size counts what is read out of it, so also what was compressed.
"""

from __future__ import annotations

import io
import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning, MaxRetryError

from orbit_release.background import started
from orbit_release.text import without

Response = requests.Response
# What a session raises where no answer comes. Errors of requests are OSErrors; ValueError: a redirect to no address.
FAULTS = (OSError, ValueError)
_CHUNK_BYTES = 64 * 1024
_LONGEST_QUOTE = 200  # characters
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


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
    return quoted(str(root))


def is_timeout(error: BaseException) -> bool:
    return isinstance(_root(error), TimeoutError)


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

    def send(self, request: requests.PreparedRequest, *args: Any, **given: Any) -> requests.Response:
        """Leave the answer behind at the deadline: a socket's own timeout starts again with every byte."""
        seconds = given["timeout"]
        given["timeout"] = (seconds / 2, seconds)  # half to connect, which leaves time for a host's second address
        try:
            return started(partial(self._whole_answer, request, *args, **given)).result(seconds)
        except TimeoutError as error:
            raise requests.ReadTimeout("timed out", request=request) from error

    def _whole_answer(self, request: requests.PreparedRequest, *args: Any, **given: Any) -> requests.Response:
        response = super().send(request, *args, **given)
        body = bytearray()
        try:
            # Not `stream`, which takes the line before a chunk however long it is.
            while chunk := response.raw.read(_CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > self._most_bytes:
                    raise TooLargeError(f"more than {self._most_bytes} bytes")
        except HTTPError as error:
            raise requests.ConnectionError(error, request=request) from error
        finally:
            response.raw.close()
        response.raw = io.BytesIO(body)
        return response
