"""What GitHub Actions reads of a step: outputs, the summary, and commands within the log.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from orbit_release.errors import ConfigurationError, InvalidError, OrbitReleaseError, UnavailableError
from orbit_release.text import SHORTEST_SECRET, printable

# As config.py and manifests/ write where a fault is.
_PLACE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+)(?::(?P<col>\d+))?: (?P<text>.+)")
_MANIFESTS = (".yaml", ".yml", ".json", "/Kustomization")  # a host's port looks like a line


def command(name: str, text: str, **properties: str) -> str:
    """Return a line that Actions obeys; what text and properties contain cannot end it or begin another."""
    given = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items() if value)
    return f"::{name}{f' {given}' if given else ''}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{more}" else c for c in text)


def error_lines(error: OrbitReleaseError) -> Iterator[str]:
    """Yield the lines that show an error on the page of the run, and at the line of the file it is about."""
    *lines, last = [printable(line) for line in error.message.splitlines()] or [""]
    hint = f"\nhint: {printable(error.hint)}" if error.hint else ""
    has_place = isinstance(error, ConfigurationError | InvalidError)
    for line, more in [*((line, "") for line in lines), (last, hint)]:
        place = _PLACE.fullmatch(line) if has_place else None
        if place:
            yield command("error", place["text"] + more, file=place["file"], line=place["line"], col=place["col"] or "")
        else:
            yield command("error", line + more)


def warning_line(message: str) -> str:
    """Return the line that shows a warning, at the line of the manifest that it begins with, if it does."""
    place = _PLACE.fullmatch(text := printable(message))
    if place and place["file"].endswith(_MANIFESTS):
        return command("warning", place["text"], file=place["file"], line=place["line"])
    return command("warning", text)


def masks(secret: str, username: str) -> Iterator[str]:
    """Yield the lines after which Actions blots out a secret; never a user name, which outputs may well contain."""
    for line in secret.splitlines():
        if len(line) >= SHORTEST_SECRET and line != username:
            yield command("add-mask", line)


def harmless(line: str) -> str:
    """Return a line of the log that Actions does not take for a command, whatever stands in it.

    It looks for `::name` behind leading blanks, and for `##[name]` anywhere (ActionCommand.cs in actions/runner).
    """
    return re.sub(r"^(\s*:)(?=:)", r"\1 ", line).replace("##[", "## [")


def group(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield command("group", printable(title))
    yield from map(harmless, lines)
    yield "::endgroup::"


def outputs(values: Mapping[str, str]) -> str:
    """Return lines for $GITHUB_OUTPUT, with delimiters that no value can contain.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions#multiline-strings
    """
    import secrets  # noqa: PLC0415  (5 ms that only workflows pay for)

    delimiter = f"EOF_{secrets.token_hex(16)}"
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items())


def append(file: str, text: str, variable: str) -> None:
    try:
        with open(file, "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UnavailableError(f"{file} cannot be written: {error.strerror}", f"check ${variable}.") from error
