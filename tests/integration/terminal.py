"""The tool as a person at a terminal runs it."""

from __future__ import annotations

import os
import pty

from tests.integration.monorepo import Monorepo, Ran, environment
from tests.integration.warm import start


def terminal(repo: Monorepo, *arguments: str, answers: str = "", **extra: str) -> Ran:
    """Run orbit-release with a terminal on every side, on which a person types ahead."""
    ours, theirs = pty.openpty()
    command = start([*arguments], environment(TERM="xterm", **extra), repo.clone, (theirs,) * 3, new_session=True)
    os.write(ours, answers.encode())
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    return Ran(command.wait(), shown.decode(), "")
