"""A monorepo with a bare origin, and the tool run in it as a person or a runner would."""

from __future__ import annotations

import atexit
import io
import os
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from orbit_release.image import Digest, Repository
from tests.images import push_image
from tests.integration.warm import run

LABEL = "org.opencontainers.image"
SERVICES = ("web", "api", "worker")
FOLDER = "deploy"
CONFIG = """\
image: {host}/orbit/{{service}}
branch: main
manifests: deploy
services:
  web: {{context: web, dockerfile: web/Dockerfile, paths: [web/**]}}
  api: {{dockerfile: services/api/Dockerfile, paths: [services/api/**, proto/**]}}
  worker: {{dockerfile: services/worker/Dockerfile, paths: [services/worker/**, proto/**, "!**/*.md"]}}
"""
MANIFEST = """\
# {name}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  template:
    spec:
      containers:
        - name: {name}
          image: {host}/orbit/{name}:{tag} # the first one
"""
DOCKERFILES = {"web": "web/Dockerfile", "api": "services/api/Dockerfile", "worker": "services/worker/Dockerfile"}
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
SETTINGS = Path(__file__).with_name("gitconfig")
_FOREIGN = ("GIT_", "GITHUB_", "ORBIT_RELEASE_", "DOCKER_CONFIG", "ARGOCD_", "DOPPLER_")


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what would leak into the tool under test."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    return {**kept, **IDENTITY, "GIT_CONFIG_GLOBAL": str(SETTINGS), "GIT_CONFIG_NOSYSTEM": "1", **extra}


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Monorepo:
    """A clone and its bare origin; the services' images live at `host`."""

    clone: Path
    origin: Path
    host: str
    extra: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, host: str) -> Monorepo:
        repo = cls(folder / "clone", folder / "origin.git", host)
        shutil.copytree(_empty("--bare"), repo.origin)
        shutil.copytree(_empty(), repo.clone / ".git")
        repo.git("remote", "add", "origin", str(repo.origin))
        files = {path: f"FROM scratch\nCOPY {path} /\n" for path in DOCKERFILES.values()}
        files["web/Dockerfile"] = "FROM scratch\nCOPY Dockerfile /\n"
        files |= {f"{FOLDER}/{name}.yaml": MANIFEST.format(name=name, host=host, tag="latest") for name in SERVICES}
        files |= {"proto/api.proto": "syntax\n", "orbit-release.yaml": CONFIG.format(host=host)}
        repo.push("first", files)
        return repo

    def git(self, *arguments: str) -> str:
        return git(self.clone, *arguments)

    def commit(self, message: str, files: Mapping[str, str | bytes | None]) -> str:
        """Commit files (None removes one) and return the commit's name."""
        for path, content in files.items():
            target = self.clone / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                target.unlink()
            else:
                target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return _head(self.clone / ".git")

    def push(self, message: str, files: Mapping[str, str | bytes | None]) -> str:
        commit = self.commit(message, files)
        if not self._follows(commit):
            self.git("push", "-q", "origin", "HEAD:main")
        return commit

    def _follows(self, commit: str) -> bool:
        """Put one commit on top of the origin's branch, by files: what a push does in six processes.

        False, and nothing is done, where it might be anything else.
        """
        ours, theirs = self.clone / ".git/objects", self.origin / "objects"
        branch = self.origin / "refs/heads/main"
        text = zlib.decompress((ours / commit[:2] / commit[2:]).read_bytes()).decode(errors="replace")
        parents = re.findall("^parent (.*)$", text.partition("\n\n")[0], re.MULTILINE)
        before = [branch.read_text().strip()] if branch.exists() else []
        is_plain = not any(((self.origin / "packed-refs").exists(), *ours.glob("pack/*"), *ours.glob("info/*")))
        if parents != before or not is_plain or any((self.origin / "hooks").iterdir()):
            return False
        for folder in (name for name in os.listdir(ours) if len(name) == 2):
            os.makedirs(theirs / folder, exist_ok=True)
            for name in {*os.listdir(ours / folder)} - {*os.listdir(theirs / folder)}:
                os.link(ours / folder / name, theirs / folder / name)
        tracking = self.clone / ".git/refs/remotes/origin/main"
        tracking.parent.mkdir(parents=True, exist_ok=True)
        for reference in (branch, tracking):
            reference.write_text(f"{commit}\n")
        return True

    def deploy(self, **tags: str) -> str:
        """Set tags by hand, push, and return the commit."""
        files = {}
        for name, tag in tags.items():
            before = (self.clone / FOLDER / f"{name}.yaml").read_text()
            start = before.index("image: ")
            line = before[start:].splitlines()[0]
            files[f"{FOLDER}/{name}.yaml"] = before.replace(line, f"image: {self.host}/orbit/{name}:{tag}")
        return self.push("deploy", files)

    def at_origin(self, path: str) -> str:
        """Return a file's text on the release branch of the origin."""
        return git(self.origin, "show", f"main:{path}", strip=False)

    def deployed(self) -> dict[str, str]:
        """Return the tags by service that the origin's manifests carry."""
        texts = {name: self.at_origin(f"{FOLDER}/{name}.yaml") for name in SERVICES}
        images = {n: yaml.safe_load(t)["spec"]["template"]["spec"]["containers"][0]["image"] for n, t in texts.items()}
        return {name: image.removeprefix(f"{self.host}/orbit/{name}").lstrip(":") for name, image in images.items()}

    def run(self, *arguments: str, directory: Path | None = None, **extra: str) -> Ran:
        """Run orbit-release in the clone."""
        return run_in(directory or self.clone, *arguments, **self.extra, **extra)


@cache
def _empty(*options: str) -> Path:
    """Return a new repository's folder, to be copied, with a place for hooks."""
    made = Path(tempfile.mkdtemp(prefix="orbit-release-empty-"))
    atexit.register(shutil.rmtree, made)
    git(made, "init", "-q", *options, "-b", "main", "r")
    folder = made / "r" if options else made / "r/.git"
    (folder / "hooks").mkdir()
    return folder


def _head(folder: Path) -> str:
    """Return the commit that is checked out in a repository that has just made it."""
    head = (folder / "HEAD").read_text().strip()
    return (folder / head.removeprefix("ref: ")).read_text().strip() if head.startswith("ref: ") else head


def run_in(folder: Path, *arguments: str, **extra: str) -> Ran:
    """Run orbit-release in a folder."""
    code, out, err = run([*arguments], environment(**extra), folder)
    return Ran(code, _text(out), _text(err))


def _text(data: bytes) -> str:
    """Return what a text stream would read."""
    return io.TextIOWrapper(io.BytesIO(data)).read()


def git(folder: Path, *arguments: str, strip: bool = True) -> str:
    """Run git and return what it prints."""
    result = subprocess.run(["git", *arguments], cwd=folder, env=environment(), capture_output=True, check=True)
    text = result.stdout.decode("utf-8", "surrogateescape")
    return text.strip() if strip else text


def sha(commit: str) -> str:
    """Return the tag that belongs to a commit."""
    return f"sha-{commit[:7]}"


def repository(repo: Monorepo, name: str) -> Repository:
    """Return where a service's images live."""
    return Repository(f"{repo.host}/orbit/{name}")


def pushed(repo: Monorepo, name: str, commit: str, tag: str = "", revision: str = "") -> Digest:
    """Put an image into the registry as the build of a commit would, under its own tag or another one."""
    return push_image(repository(repo, name), tag or sha(commit), {f"{LABEL}.revision": revision or commit})
