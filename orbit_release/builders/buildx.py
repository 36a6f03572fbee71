"""Build images and push them with `docker buildx`, a program beside us."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from orbit_release.builders import failures
from orbit_release.builders.context import resolved
from orbit_release.builders.failures import EngineError, build_error, plain
from orbit_release.builders.request import BuildRequest, Progress, Sleep
from orbit_release.errors import BuildError, UnavailableError, UsageError
from orbit_release.image import Digest

_STOP_SECONDS = 10.0
_KEPT_LINES = 50
_REMOTE = "orbit-release"
_BUILDER = re.compile(r"tcp://[\w.:\[\]-]+|[A-Za-z0-9][\w.-]*", re.ASCII)
_PUSHING = re.compile(r"ERROR: .*failed to push| > pushing ")
_ENGINE_HINT = f"See docker buildx ls. {failures.START_DOCKER}"


def is_installed(environ: Mapping[str, str]) -> bool:
    command = ["docker", "buildx", "version"]
    try:
        return subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def chosen_builder(environ: Mapping[str, str], seconds: float) -> str:
    """Say which builder is chosen and how it stands; nothing is started, as `--bootstrap` would."""
    command = ["docker", "buildx", "inspect"]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"docker buildx does not answer within {seconds:.0f} s", _ENGINE_HINT) from error
    lines = [plain(line) for line in (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()]
    parts = [line.partition(":") for line in reversed(lines)]  # what is said of the builder, before that of its nodes
    fields = {name.strip(): value.strip() for name, colon, value in parts if colon}
    if done.returncode or "Error" in fields or "ERROR" in fields:
        raise UnavailableError(f"docker buildx: {_complaint(lines)}", _ENGINE_HINT)
    name, driver = fields.get("Name", "default"), fields.get("Driver", "no driver named")
    return f"docker buildx with the builder {name} ({driver}), {fields.get('Status', 'status unknown')}"


def _complaint(lines: list[str]) -> str:
    """Return the line that says what went wrong: buildx repeats it last."""
    error = next((line for line in reversed(lines) if re.match(r"ERROR:|Error:", line)), "")
    return error.partition(":")[2].strip() or (lines[-1] if lines else "no word on why")


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process and what it started, gently first: buildx then cancels the build in the engine."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
            return


class BuildxBuilder:
    """`docker buildx` with its current builder, one by name, or a BuildKit server at tcp://HOST:PORT.

    Safe to share between threads. Leaving it stops every build that still runs, so enter it after the thread
    pool. Credentials are Docker's own (`docker login`).
    """

    def __init__(self, builder: str | None, environ: Mapping[str, str], *, sleep: Sleep) -> None:
        if builder is not None and not _BUILDER.fullmatch(builder):
            hint = "Give a name of docker buildx ls, or tcp://HOST:PORT."
            raise UsageError(f"--builder {builder!r} is no builder", hint)
        self._builder, self._environ, self._sleep = builder or "", dict(environ), sleep
        self._lock, self._running, self._stopped = threading.Lock(), set[subprocess.Popen[str]](), False
        self._folder = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.push(self.__exit__)
            if self._builder.startswith("tcp://"):
                self._connect_remote()
            status, lines = self._run(["inspect", "--bootstrap", *filter(None, [self._builder])])
            if status and "no builder" in _complaint(lines):
                raise UsageError(f"docker buildx: {_complaint(lines)}", "docker buildx ls shows those that exist.")
            if status or any(line.startswith("Error:") for line in lines):
                raise UnavailableError(f"docker buildx: {_complaint(lines)}", _ENGINE_HINT)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _stop(process)
        self._folder.close()

    def _connect_remote(self) -> None:
        """Register the server in a folder of this run: parallel runs and the user's own list do not see it."""
        folder = self._folder.enter_context(tempfile.TemporaryDirectory(prefix="orbit-release-"))
        self._environ["BUILDX_CONFIG"] = folder
        status, lines = self._run(["create", f"--name={_REMOTE}", "--driver=remote", self._builder])
        if status:
            raise UsageError(f"--builder {self._builder}: {_complaint(lines)}", "Give tcp://HOST:PORT.")
        self._builder = _REMOTE

    def build(self, request: BuildRequest, *, push: bool, progress: Progress) -> Digest | None:
        """Build and name an image, or push its first name; return the digest in the registry (None: no push)."""
        first = request.tags[0]
        try:
            if push:
                return failures.push_with_retries(first, lambda: self._push(request, progress), self._sleep)
            # Engines hold one platform of an image: several are only tried out.
            output = "--output=type=cacheonly" if len(request.platforms) > 1 else "--load"
            self._build(request, [output, *(f"--tag={image}" for image in request.tags)], progress)
        except EngineError as error:  # a RUN step may sound like a push
            raise build_error(str(error)) from error
        except OSError as error:
            raise failures.machine_error(error) from error
        return None

    def _push(self, request: BuildRequest, progress: Progress) -> Digest:
        with tempfile.TemporaryDirectory(prefix="orbit-release-") as folder:
            metadata = Path(folder, "metadata.json")
            output = ["--push", f"--tag={request.tags[0]}", f"--metadata-file={metadata}"]
            self._build(request, output, progress)
            try:
                return Digest(json.loads(metadata.read_bytes())["containerimage.digest"])
            except (OSError, KeyError, TypeError, ValueError) as error:
                message = "docker buildx pushed the image but names no digest"
                raise BuildError(message, "Update docker buildx.") from error

    def _build(self, request: BuildRequest, output: list[str], progress: Progress) -> None:
        status, lines = self._run(["build", "--progress=plain", *output, *self._options(request)], progress)
        if status and any(map(_PUSHING.match, lines)):  # a push may be tried again
            raise EngineError(_complaint(lines))
        if status:
            raise build_error(_complaint(lines))

    def _options(self, request: BuildRequest) -> Iterator[str]:
        """Yield `--name=value` options, so that no value is taken for one, and the context."""
        # With provenance the image would be wrapped in an index whose digest changes on every build.
        yield "--provenance=false"
        if self._builder:
            yield f"--builder={self._builder}"
        if request.platforms:
            yield f"--platform={','.join(request.platforms)}"
        yield from (f"--build-arg={name}={value}" for name, value in request.build_args.items())
        yield from (f"--label={name}={value}" for name, value in request.labels.items())
        # The Dockerfile's own name, not what it links to: its ignore file is named after it.
        resolved(request, request.dockerfile)
        yield f"--file={resolved(request, '.') / request.dockerfile}"
        yield str(resolved(request, request.context))

    def _run(self, arguments: list[str], progress: Progress = lambda _: None) -> tuple[int, list[str]]:
        """Run buildx to its end; return its status and the last lines that it wrote."""
        lines: list[str] = []
        with self._program(["docker", "buildx", *arguments]) as process:
            for line in filter(None, map(plain, process.stdout or ())):
                lines = [*lines[1 - _KEPT_LINES :], line]
                progress(line)
            status = process.wait()
        if self._stopped:
            raise failures.interruption()
        return status, lines

    @contextmanager
    def _program(self, command: list[str]) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self._stopped:
                raise failures.interruption()
            process = subprocess.Popen(
                command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
            self._running.add(process)
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    _stop(process)
                with self._lock:
                    self._running.discard(process)
