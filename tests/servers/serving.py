"""A server that answers in a thread for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from threading import Event, Thread
from typing import TypeVar

Server = TypeVar("Server", bound=ThreadingHTTPServer)


@contextmanager
def serving(server: Server, stopping: Event | None = None) -> Iterator[Server]:
    """Serve until the end of the block; `stopping` is set then, for answers that hang."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        if stopping:
            stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
