"""The folders that go.mod and go.work name in place of a module (https://go.dev/ref/mod)."""

from __future__ import annotations

from collections.abc import Iterator


def local_modules(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line (from 1) and the folder, as it is written, of every local `replace`, and of go.work's `use`."""
    block = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("//")[0].split()
        if words and words[-1].endswith(("(", ")")):
            block = words[0].strip("()")
        elif words:
            verb, *rest = [block, *words] if block else words
            yield from ((number, folder) for folder in _folders(verb, rest))


def _folders(verb: str, words: list[str]) -> Iterator[str]:
    named = words if verb == "use" else words[words.index("=>") + 1 :] if verb == "replace" and "=>" in words else []
    folder = named[0].strip('"`') if named else ""
    if folder in {".", ".."} or folder.startswith(("./", "../")):
        yield folder
