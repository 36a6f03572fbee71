"""Whether a remote can be reached, and whether it takes pushes: asked without changing anything there or here."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

from orbit_release.errors import UnavailableError
from orbit_release.git.clone import Clone, Tip
from orbit_release.git.plumbing_output import remote_branch
from orbit_release.git.process import remote_error

_HINT = "check the network; over ssh, whether a key needs its passphrase."
_PROBE = "refs/heads/orbit-release/doctor"  # it never comes to be: the push is a dry run


def remote_tip(clone: Clone, tip: Tip, seconds: float) -> str | None:
    """Return where a remote's release branch stands now; None if it has no such branch."""
    listing = _talk(clone, tip, seconds, "ls-remote", str(tip.remote), f"refs/heads/{tip.branch}")
    return remote_branch(listing, tip.branch)


def try_push(clone: Clone, tip: Tip, seconds: float) -> None:
    """Ask a remote to take a push; AccessError if it does not let this user.

    Servers that know their users, like GitHub, decide when the conversation begins. A dry run ends before anything is
    sent; what rules say about a branch is therefore not asked. The branch is a new one, so that no tip is in the way.
    """
    options = ("--dry-run", "--porcelain", "--no-verify", "--no-recurse-submodules", "--no-signed")
    _talk(clone, tip, seconds, "push", *options, str(tip.remote), f"{tip.commit}:{_PROBE}")


def _talk(clone: Clone, tip: Tip, seconds: float, *arguments: str) -> bytes:
    # In a session of its own git and ssh have no terminal to ask for a password on, and end together.
    asking_nobody = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never"}
    program = clone.process.start(*arguments, environment=asking_nobody, own_session=True)
    try:
        printed, complaint = program.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
        raise UnavailableError(f"{tip.remote} does not answer within {seconds:.0f} s", _HINT) from error
    if program.returncode:
        raise remote_error(complaint, str(tip.remote))
    return printed
