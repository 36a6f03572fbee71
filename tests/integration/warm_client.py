"""Asks `warm_server.py` to run a command.

As a program, `warm_client.py SOCKET [ARGUMENT]...`, it is `orbit-release` and ends as that does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress


class Command:
    """A command that runs, and that is killed once nobody can wait for it any more."""

    def __init__(
        self,
        address: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        streams: Sequence[int],
        *,
        new_session: bool = False,
    ) -> None:
        request = {"command": command, "environment": environment, "folder": folder, "new_session": new_session}
        text = json.dumps(request).encode()
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(address)
        socket.send_fds(self.connection, [b"%8d" % len(text)], streams)
        self.connection.sendall(text)

    def wait(self) -> int:
        """Return the exit status, negative for a signal."""
        with self.connection:
            answer = self.connection.recv(16)
        if not answer:
            raise RuntimeError("the warm interpreter has ended: it said why on standard error")
        return int(answer)


if __name__ == "__main__":
    status = Command(sys.argv[1], sys.argv[2:], dict(os.environ), os.getcwd(), (0, 1, 2)).wait()
    if status < 0:
        with suppress(OSError):  # where it cannot be handled, it kills anyway
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)
