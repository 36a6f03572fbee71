"""The build context in a commit's files, and the archive of it that the engine's own builder takes."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from orbit_release.builders.ignore_file import ignore_rules, is_ignored
from orbit_release.builders.request import BuildRequest
from orbit_release.errors import BuildError

_DOCKERFILE = ".orbit-release.dockerfile"
_IGNORE_FILE = ".dockerignore"


def resolved(request: BuildRequest, name: str) -> Path:
    """Resolve a path of the commit; BuildError for a link that leaves it, which could name any file of the machine."""
    # Unlike Path.resolve, realpath stands loops of links: nothing is there, then.
    tree = Path(os.path.realpath(request.tree))
    path = Path(os.path.realpath(tree / name))
    if not path.is_relative_to(tree):
        raise BuildError(f"{path} lies outside the repository", "Put the file itself in place of the symbolic link.")
    return path


def context_and_dockerfile(request: BuildRequest) -> tuple[Path, Path]:
    """Return where both are; BuildError if one is not."""
    context, dockerfile = resolved(request, request.context), resolved(request, request.dockerfile)
    for is_there, name in ((context.is_dir(), request.context), (dockerfile.is_file(), request.dockerfile)):
        if not is_there:
            raise BuildError(f"the commit has no {name}", "Correct its path in orbit-release.yaml.")
    return context, dockerfile


def pack(request: BuildRequest, archive: tarfile.TarFile) -> str:
    """Fill the archive that the engine builds from; return the Dockerfile's name in it."""
    context, dockerfile = context_and_dockerfile(request)
    names = _context_files(request, context)
    name = dockerfile.relative_to(context).as_posix() if dockerfile.is_relative_to(context) else ""
    if name not in names:
        # It travels along without being part of the context: the engine drops what `.dockerignore` names.
        name, ignore = _DOCKERFILE, _IGNORE_FILE.encode()
        if _IGNORE_FILE in names:
            names.remove(_IGNORE_FILE)
            ignore = resolved(request, f"{request.context}/{_IGNORE_FILE}").read_bytes()
        _add_bytes(archive, name, dockerfile.read_bytes())
        _add_bytes(archive, _IGNORE_FILE, ignore + f"\n{name}\n".encode())
    for path in names:
        archive.add(context / path, path, recursive=False, filter=_owned_by_root)
    return name


def _context_files(request: BuildRequest, context: Path) -> list[str]:
    rules = ignore_rules(_ignore_file(request))
    names = [
        Path(folder, name).relative_to(context).as_posix()
        for folder, folders, files in os.walk(context)
        for name in folders + files
    ]
    return sorted(name for name in names if not is_ignored(rules, name))


def _ignore_file(request: BuildRequest) -> str:
    """Read the ignore file that counts: the one named after the Dockerfile, else the context's."""
    for name in (f"{request.dockerfile}{_IGNORE_FILE}", f"{request.context}/{_IGNORE_FILE}"):
        path = resolved(request, name)
        if path.is_file():
            return path.read_text("utf-8", "surrogateescape")
    return ""


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    # Who checked the files out is no reason for the engine's cache to miss.
    return member.replace(uid=0, gid=0, uname="", gname="", deep=False)


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
