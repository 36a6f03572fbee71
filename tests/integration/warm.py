"""The tool in processes of its own, started from an interpreter that is warm: see `warm_server.py`."""

from __future__ import annotations

import atexit
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.integration.warm_client import Command

# What a command finds as its interpreter: what it starts as itself again is warm as well.
PYTHON = """\
#!/bin/sh
[ "$1 $2" = "-m orbit_release" ] || exec '{python}' "$@"
shift 2
exec '{python}' -IS '{client}' '{folder}/socket' "$@"
"""
SERVER, CLIENT = (Path(__file__).with_name(f"warm_{name}.py") for name in ("server", "client"))


@cache
def address() -> str:
    """Return the socket of this process's server, which starts now and ends with this process."""
    folder = tempfile.mkdtemp(prefix="orbit-release-warm-")
    python = Path(folder) / "python"
    python.write_text(PYTHON.format(python=sys.executable, client=CLIENT, folder=folder))
    python.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen(128)
        number = listener.fileno()
        command = [sys.executable, str(SERVER), str(number), str(python)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[number])

    def stop() -> None:
        with server:  # closing its input ends it
            pass
        shutil.rmtree(folder)

    atexit.register(stop)
    return f"{folder}/socket"


def program() -> tuple[str, ...]:
    """Return what stands for `python -m orbit_release` in a shell."""
    return (sys.executable, "-IS", str(CLIENT), address())


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    streams: Sequence[int],
    *,
    new_session: bool = False,
) -> Command:
    return Command(address(), command, environment, str(folder), streams, new_session=new_session)


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[int, bytes, bytes]:
    """Run a command without input; return its exit status and what it printed on both streams."""
    (out, to_out), (err, to_err) = os.pipe(), os.pipe()
    with open(os.devnull, "rb") as nothing, selectors.DefaultSelector() as open_ends:
        running = start(command, environment, folder, (nothing.fileno(), to_out, to_err))
        os.close(to_out)
        os.close(to_err)
        told = {out: b"", err: b""}
        for end in told:
            open_ends.register(end, selectors.EVENT_READ)
        while open_ends.get_map():
            for key, _ in open_ends.select():
                if chunk := os.read(key.fd, 1 << 16):
                    told[key.fd] += chunk
                else:
                    open_ends.unregister(key.fd)
                    os.close(key.fd)
    return running.wait(), told[out], told[err]
