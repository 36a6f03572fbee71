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
            verb, *operands = [block, *words] if block else words
            if folder := _local_folder(verb, operands):
                yield number, folder


def _local_folder(verb: str, operands: list[str]) -> str:
    if verb == "replace" and "=>" in operands:
        operands = operands[operands.index("=>") + 1 :]
    elif verb != "use":
        return ""
    folder = operands[0].strip('"`') if operands else ""
    return folder if folder in {".", ".."} or folder.startswith(("./", "../")) else ""
