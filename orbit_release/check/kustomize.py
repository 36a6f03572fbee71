"""Rendering a kustomization with the program on PATH: offline, without plugins, bounded in time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from orbit_release.check.wiring.rendered_groups import RefusedError
from orbit_release.errors import NotFoundError, OrbitReleaseError, UnavailableError

_TIMEOUT = 30.0  # seconds
_COMMANDS = (("kustomize", "build"), ("kubectl", "kustomize"))
# Whatever a kustomization names on the network is refused at once, and no git is found that could clone it.
_NOWHERE = "http://127.0.0.1:9"
_OFFLINE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NOWHERE)
_OFFLINE |= {"NO_PROXY": "", "no_proxy": "", "PATH": os.devnull}
_LOGGED = re.compile(r'err=["<] ?(.*?) ?[">]\Z')  # what kubectl's own log makes of a complaint
# What it says of things that are not in the repository: that is no fault, but they cannot be had here.
_OUTSIDE = re.compile(r"https?:|git|helm|proxy|dial tcp|plugin|executable file", re.IGNORECASE)
_AT_ONCE = 4
_LONGEST_COMPLAINT = 300


class Kustomize:
    """Renders folders of a working tree; `environment` says what is on PATH."""

    def __init__(self, top: str, environment: Mapping[str, str], timeout: float = _TIMEOUT) -> None:
        self._top = top
        self._environment = {**environment, **_OFFLINE}
        self._timeout = timeout
        path = environment.get("PATH", "")
        commands = ((shutil.which(program, path=path), verb) for program, verb in _COMMANDS)
        self._command = next(((program, verb) for program, verb in commands if program), None)

    def render(self, folders: Sequence[str]) -> dict[str, bytes | OrbitReleaseError]:
        """Return the folders' objects as YAML, or of one that cannot be rendered, why.

        NotFoundError: no program; RefusedError: a wrong kustomization; UnavailableError: what it needs is not here.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(folders, pool.map(self._rendered, folders), strict=True))

    def _rendered(self, folder: str) -> bytes | OrbitReleaseError:
        if self._command is None:
            return NotFoundError("neither kustomize nor kubectl is on PATH", "install one of them.")
        program, verb = self._command
        try:
            done = subprocess.run(
                [program, verb, os.path.join(".", folder)],
                cwd=self._top,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return UnavailableError(f"rendering it took longer than {self._timeout:g} seconds")
        except OSError as error:
            return UnavailableError(f"{program} cannot be started: {error.strerror}")
        if done.returncode == 0:
            return done.stdout
        said = _complaint(done.stderr).replace(os.path.join(os.path.realpath(self._top), ""), "")
        kind = UnavailableError if _OUTSIDE.search(said) else RefusedError
        return kind(f"`{os.path.basename(program)}` refuses it: {said}")


def _complaint(stderr: bytes) -> str:
    """Return what it said, on one line and without control characters."""
    said = " ".join("".join(filter(str.isprintable, line)) for line in stderr.decode("utf-8", "replace").split())
    if logged := _LOGGED.search(said):
        said = logged[1]
    return said.removeprefix("error: ").removeprefix("Error: ")[:_LONGEST_COMPLAINT] or "it gave no reason"
