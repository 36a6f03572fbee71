"""A server of bytes: it answers each request with what a test writes, however HTTP has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from itertools import takewhile
from socketserver import StreamRequestHandler
from threading import Event

from tests.servers.serving import serving

Script = Callable[[bytes], Iterator[bytes]]  # takes the head of a request


class RawServer(ThreadingHTTPServer):
    """Sends the parts that the script yields; between two of them it waits for `pause` seconds."""

    daemon_threads = True

    def __init__(self, script: Script, pause: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.pause, self.stopping = script, pause, Event()
        self.heads: list[bytes] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(StreamRequestHandler):
    server: RawServer
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with suppress(OSError):  # whoever has enough hangs up
            head = b"".join(takewhile(lambda line: line not in (b"\r\n", b""), self.rfile))
            self.server.heads.append(head)
            for part in self.server.script(head):
                self.wfile.write(part)
                if self.server.stopping.wait(self.server.pause):
                    break


@contextmanager
def answering(script: Script, pause: float = 0.0) -> Iterator[RawServer]:
    server = RawServer(script, pause)
    with serving(server, server.stopping):
        yield server
