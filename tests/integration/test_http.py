"""One policy for every server: the same bad answers, given to the client of each."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import repeat
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from orbit_release import http
from orbit_release.argocd.client import ArgoCD
from orbit_release.argocd.connection import Connection
from orbit_release.doppler.client import Doppler
from orbit_release.errors import OrbitReleaseError, UnavailableError
from orbit_release.github.client import GitHub
from orbit_release.http import FAULTS, HttpSession, is_loopback, is_secure, is_timeout, is_token, reason_of
from orbit_release.image import Repository, Tag
from orbit_release.registry.client import Registry
from tests.servers.raw import Script, answering

SECONDS = 0.1  # for one answer that does not come
LONG = 60.0  # for one that does
MIB = 1024 * 1024
NAMES = {"names": ["A"], "items": [], "full_name": "octo/orbit"}


def ask_registry(host: str, seconds: float) -> None:
    Registry(budget=seconds, sleep=lambda _: None).image(Repository(f"{host}/orbit/web"), Tag("latest"))


def ask_argocd(host: str, seconds: float) -> None:
    ArgoCD(Connection.parse(host, "--plaintext"), "token", seconds=seconds).applications()


def ask_doppler(host: str, seconds: float) -> None:
    Doppler("token", api=f"http://{host}", seconds=seconds).names()


def ask_github(host: str, seconds: float) -> None:
    github = GitHub(f"http://{host}", "octo/orbit", "token", timeout=ceil(seconds), attempts=1)
    github.open_releases("main")


Ask = Callable[[str, float], None]
LATE: dict[Ask, str] = {
    ask_registry: "timed out",
    ask_argocd: "does not answer within 0 s",
    ask_doppler: "Doppler does not answer",
    ask_github: "does not answer: ",
}
LARGE: dict[Ask, str] = {
    ask_registry: f"answers with more than {4 * MIB} bytes",
    ask_argocd: f"answers with more than {64 * MIB} bytes",
    ask_doppler: f"answers with more than {4 * MIB} bytes",
    ask_github: f"answers with more than {64 * MIB} bytes",
}
GITHUBS = ("headers that drip", "a body that drips")  # its client counts in whole seconds
EACH = pytest.mark.parametrize("ask", list(LATE), ids=lambda ask: ask.__name__.removeprefix("ask_"))


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""))
    return head.encode() + body


# An answer that takes its time


def drip(text: bytes, then: bytes = b"x") -> Script:
    def script(_: bytes) -> Iterator[bytes]:
        yield from (text[place : place + 1] for place in range(len(text)))
        yield from repeat(then)

    return script


def at_once(head: bytes, then: bytes) -> Script:
    def script(_: bytes) -> Iterator[bytes]:
        yield head
        yield from repeat(then)

    return script


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SLOW: dict[str, Script] = {
    "nothing": lambda _: repeat(b""),
    "a status line that never ends": drip(b"HTTP/1.1 200 "),
    "headers that drip": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slow: "),
    "one header after the other": at_once(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "one interim answer after the other": at_once(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body that drips": at_once(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
    "chunks that drip": at_once(CHUNKED, b"1\r\n \r\n"),
    "the size of a chunk that never ends": at_once(CHUNKED, b"0"),
    "trailers that never end": at_once(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n"),
}


@pytest.mark.parametrize(
    ("ask", "name"),
    [(ask, name) for name in SLOW for ask in LATE if ask is not ask_github or name in GITHUBS],
    ids=lambda value: value if isinstance(value, str) else value.__name__.removeprefix("ask_"),
)
def test_a_server_that_drips_is_left_in_time(ask: Ask, name: str) -> None:
    with answering(SLOW[name], pause=0.02) as server, pytest.raises(UnavailableError) as caught:
        ask(server.host, SECONDS)
    assert LATE[ask] in caught.value.message


@EACH
def test_a_connection_that_nobody_accepts_is_left_in_time(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address), pytest.raises(UnavailableError) as caught:
            ask("{}:{}".format(*address), SECONDS)
    assert LATE[ask] in caught.value.message


def test_a_handshake_that_nobody_answers_is_left_in_time() -> None:
    with answering(lambda _: repeat(b""), pause=0.02) as server, pytest.raises(UnavailableError) as caught:
        ArgoCD(Connection.parse(server.host, ""), "token", seconds=SECONDS).applications()
    assert LATE[ask_argocd] in caught.value.message


@pytest.mark.parametrize("name", ["nothing", "headers that drip", "one header after the other"])
def test_a_proxy_that_drips_is_left_in_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with answering(SLOW[name], pause=0.02) as server:
        monkeypatch.setenv("https_proxy", f"http://{server.host}")
        with pytest.raises(UnavailableError, match=LATE[ask_doppler]):
            Doppler("token", api="https://doppler.example.com", seconds=SECONDS).names()
    assert all(head.startswith(b"CONNECT doppler.example.com:443") for head in server.heads)


def test_all_addresses_of_a_host_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, answering(lambda _: iter([answer(b"{}")])) as well:
        waiting, serving = full.getsockname(), ("127.0.0.1", well.server_port)
        looked_up: list[tuple[str, int]] = []
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", each) for each in looked_up])
        with socket.socket() as first:
            first.connect(waiting)
            looked_up += [waiting] * 50
            with HttpSession(MIB) as session, pytest.raises(FAULTS) as caught:
                session.request("GET", f"http://localhost:{waiting[1]}", timeout=SECONDS)
            assert is_timeout(caught.value)
        looked_up[:] = [("127.0.0.2", serving[1]), serving]  # where nobody listens, and then one who does
        with HttpSession(MIB) as session:
            assert session.request("GET", f"http://localhost:{serving[1]}", timeout=LONG).content == b"{}"


def test_nothing_is_sent_once_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now, look_up = [0.0], socket.getaddrinfo

    def late(*asked: Any, **given: Any) -> Any:
        now[0] += 2 * LONG
        return look_up(*asked, **given)

    monkeypatch.setattr(http, "monotonic", lambda: now[0])
    monkeypatch.setattr(socket, "getaddrinfo", late)
    with answering(lambda _: iter([answer(b"{}")])) as server, HttpSession(MIB) as session:
        with pytest.raises(FAULTS) as caught:
            session.request("PUT", f"http://127.0.0.1:{server.server_port}", data=b"x", timeout=LONG)
        assert is_timeout(caught.value)
    assert b"".join(server.heads) == b""


def test_the_password_of_a_proxy_is_not_told() -> None:
    error = ValueError("Failed to parse: http://user:s3cret@proxy:99999")
    assert reason_of(error) == "Failed to parse: ***@proxy:99999"


# An answer that is too large


def endless(_: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    yield from repeat(b" " * MIB)


@cache
def packed() -> bytes:
    return answer(gzip.compress(b" " * 80 * MIB, 1), "Content-Encoding: gzip")


def bomb(_: bytes) -> Iterator[bytes]:
    yield packed()


@EACH
@pytest.mark.parametrize("script", [endless, bomb], ids=["endless", "a bomb"])
def test_an_answer_that_is_too_large_is_left(ask: Ask, script: Script) -> None:
    with answering(script) as server, pytest.raises(UnavailableError) as caught:
        ask(server.host, LONG)
    assert LARGE[ask] in caught.value.message


def test_an_answer_that_was_compressed_is_read() -> None:
    small = answer(gzip.compress(b'{"names": ["A"]}'), "Content-Encoding: gzip")
    with answering(lambda _: iter([small])) as server:
        assert Doppler("token", api=f"http://{server.host}", seconds=LONG).names() == {"A"}


# Where it leads, and whom it goes through


@EACH
@pytest.mark.parametrize("target", ["http://store.example.com/", "https://store.example.com/", "//[x", None])
def test_nobody_else_is_asked_whatever_a_redirect_says(ask: Ask, target: str | None) -> None:
    with answering(lambda _: iter([answer(b"{}")])) as other:
        location = f"Location: {target or f'http://{other.host}/'}"
        with (
            answering(lambda _: iter([answer(b"", location, status="302 Found")])) as server,
            suppress(OrbitReleaseError),
        ):
            ask(server.host, LONG)
        assert server.heads
    assert not [head for head in other.heads if b"uthorization" in head]


@EACH
def test_loopback_is_reached_without_proxy_and_no_password_is_looked_up(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login orbit password correct\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with answering(lambda _: iter([answer(json.dumps(NAMES).encode())])) as server, suppress(OrbitReleaseError):
        ask(server.host, LONG)
    assert server.heads
    assert not [head for head in server.heads if b"Basic" in head]


def test_cookies_are_not_kept() -> None:
    reply = answer(b"{}", "Set-Cookie: a=b")
    with answering(lambda _: iter([reply])) as server, HttpSession(MIB) as session:
        for _ in range(2):
            session.request("GET", f"http://{server.host}/", timeout=LONG)
    assert len(server.heads) == 2
    assert not [head for head in server.heads if b"Cookie" in head]


@pytest.mark.parametrize(
    ("url", "loopback", "secure"),
    [
        ("http://127.0.0.1:80/", True, True),
        ("http://127.8.9.1", True, True),
        ("http://[::1]:1/", True, True),
        ("http://localhost/x", True, True),
        ("https://github.com", False, True),
        ("http://github.com", False, False),
        ("http://localhost.example.com", False, False),
        ("ftp://github.com", False, False),
        ("", False, False),
    ],
)
def test_a_secret_travels_by_https_or_to_this_machine(url: str, *, loopback: bool, secure: bool) -> None:
    assert (is_loopback(url), is_secure(url)) == (loopback, secure)


@pytest.mark.parametrize(
    ("text", "is_one"), [("a-Z_9.~/=", True), ("", False), ("a b", False), ("a\n", False), ("ü", False)]
)
def test_a_token_is_what_a_header_can_carry(text: str, *, is_one: bool) -> None:
    assert is_token(text) is is_one
