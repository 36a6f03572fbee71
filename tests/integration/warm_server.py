"""Runs `python -m orbit_release` without the start of an interpreter: a fork of one that has imported all of it.

Each command is a process of its own, with the arguments, environment, folder and standard streams that it is given;
nothing of it comes back but its exit status. What an interpreter reads as it starts cannot be given to one that runs:
where that differs, the fork becomes a fresh interpreter. The server ends, with all that runs, when its standard input
does.
"""

from __future__ import annotations

import gc
import io
import json
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, TextIO

PACKAGE = "orbit_release"
LAZY = ("docker", "git", "github", "jinja2", "requests", "rich.console", "rich.table", "ruamel.yaml", "yaml")
# What the interpreter, the C library or an imported package reads once.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "OPENSSL_", "SSLKEYLOGFILE", "GIT_PYTHON_")
HEAD = 8
READ = selectors.EVENT_READ


def import_all() -> None:
    """Import what any command would."""
    for module in pkgutil.walk_packages(import_module(PACKAGE).__path__, f"{PACKAGE}."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in LAZY:
        import_module(name)
    gc.collect()
    gc.freeze()  # what is here now would be looked through, and so copied, in each fork


def start_of(environment: Mapping[str, str]) -> tuple[object, ...]:
    """Return all that the start of an interpreter depends on; GitPython looks for git as it is imported."""
    read = {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}
    return read, shutil.which("git", path=environment.get("PATH"))


class Server:
    """Forks for each command that comes to a socket."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, READ, self.accept)
        self.selector.register(0, READ, self.end)
        self.running: dict[int, tuple[int, socket.socket]] = {}  # process and caller by the process's descriptor

    def serve(self) -> dict[str, Any]:
        """Return in each fork, with what it is to run; the server itself never returns."""
        while True:
            for key, _ in self.selector.select():
                if request := key.data(key.fileobj):
                    return dict(request)

    def accept(self, listener: socket.socket) -> dict[str, Any] | None:
        caller, _ = listener.accept()
        head, streams, _, _ = socket.recv_fds(caller, HEAD, 3)
        try:
            with caller.makefile("rb") as stream:
                request: dict[str, Any] = json.loads(stream.read(int(head)))
        except ValueError:  # the caller was ended before it had said all
            for descriptor in (*streams, caller.detach()):
                os.close(descriptor)
            return None
        if process := os.fork():
            for descriptor in streams:
                os.close(descriptor)
            watch = os.pidfd_open(process)
            self.running[watch] = (process, caller)
            self.selector.register(watch, READ, self.tell)
            self.selector.register(caller, READ, self.kill)
            return None
        caller.close()
        self.close()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        return request

    def tell(self, watch: int) -> None:
        """Say how a command ended."""
        process, caller = self.running.pop(watch)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        self.selector.unregister(watch)
        os.close(watch)
        with suppress(KeyError):
            self.selector.unregister(caller)
        with suppress(OSError), caller:
            caller.sendall(b"%d" % status)

    def kill(self, caller: socket.socket) -> None:
        """End the command whose caller is gone; it may have ended at the same time."""
        processes = {waiting: process for process, waiting in self.running.values()}
        if caller in processes:
            self.selector.unregister(caller)
            os.kill(processes[caller], signal.SIGKILL)

    def end(self, _: int) -> None:
        for process, _caller in self.running.values():
            os.kill(process, signal.SIGKILL)
        os._exit(0)

    def close(self) -> None:
        """Close in a fork what is the server's."""
        self.selector.close()
        self.listener.close()
        for watch, (_, caller) in self.running.items():
            os.close(watch)
            caller.close()


def stream(number: int, like: TextIO) -> TextIO:
    """Return a standard stream as an interpreter makes it at its start: like ours, but for another file."""
    is_raw = isinstance(like.buffer, io.RawIOBase)  # PYTHONUNBUFFERED
    binary = open(number, "wb" if number else "rb", buffering=0 if is_raw else -1, closefd=False)  # noqa: SIM115
    by_line = number == 2 or os.isatty(number)
    options: dict[str, Any] = {"newline": "\n", "line_buffering": by_line, "write_through": is_raw}
    return io.TextIOWrapper(binary, like.encoding, like.errors, **options)


def become(request: Mapping[str, Any]) -> None:
    """Make this fork what `python -m orbit_release` would be as it enters the package."""
    command, environment = request["command"], request["environment"]
    for default in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(default, signal.SIG_DFL)
    if request["new_session"]:
        os.setsid()
    os.chdir(request["folder"])
    if start_of(environment) != start_of(os.environ):
        os.execve(sys.executable, [sys.executable, "-m", PACKAGE, *command], environment)  # noqa: S606
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    tempfile.tempdir = None
    sys.path[0] = os.getcwd()
    sys.executable = sys.argv[2]
    sys.argv[1:] = command
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        made = stream(number, getattr(sys, name))
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)


if __name__ == "__main__":
    sys.path[0] = "/"  # nothing of this folder is to be imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever waits, who ends us
    import_all()
    become(Server(socket.socket(fileno=int(sys.argv[1]))).serve())
    runpy.run_module(PACKAGE, run_name="__main__", alter_sys=True)
