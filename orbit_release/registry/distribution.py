"""What the OCI distribution protocol says, read without a network: addresses, digests, OCI manifests.

https://github.com/opencontainers/distribution-spec
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, Repository, Tag
from orbit_release.text import short_line, without

# A registry that is not offered the type of a tag's OCI manifest answers 404, as if there were no such tag.
ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an address leads: its scheme, host and port (a default port is left out)."""

    scheme: str
    netloc: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where http is as good as https."""
        host = urlsplit(str(self)).hostname or ""
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def allows(self, target: Origin | None) -> bool:
        """Whether a registry here may send its client on to `target`: https, or loopback from loopback."""
        if target is None:
            return False
        return self.is_loopback if target.is_loopback else target.scheme == "https"

    @classmethod
    def parse(cls, url: str) -> Origin | None:
        """Read an absolute URL; None where it names a user or two parsers may disagree about the host."""
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port is not None else ""
        except ValueError:
            return None
        dubious = not url.isascii() or not url.isprintable() or any(mark in url for mark in " \\")
        if dubious or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
            return None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(parts.scheme, host + ("" if port == _DEFAULT_PORTS[parts.scheme] else port))

    @classmethod
    def of_registry(cls, repository: Repository) -> Origin:
        """Return where a repository's registry answers: by https, except on loopback."""
        if (repository.host or "docker.io") in DOCKER_HUB:
            return cls("https", "registry-1.docker.io")
        plain = cls.parse(f"http://{repository.host}")
        if plain and plain.is_loopback:
            return plain
        return cls.parse(f"https://{repository.host}") or cls("https", repository.host)


GHCR = Origin("https", "ghcr.io")


def remote_path(repository: Repository) -> str:
    """Return the name that the registry knows: Docker Hub keeps `redis` as `library/redis`."""
    official = (repository.host or "docker.io") in DOCKER_HUB and "/" not in repository.path
    return f"library/{repository.path}" if official else repository.path


def retry_after(asked: str, date: str) -> float | None:
    """Return the seconds that `Retry-After` asks for; a point in time counts from the answer's own `Date`."""
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        pause = parsedate_to_datetime(asked) - parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    return max(0.0, pause.total_seconds())


def digest_of(content: bytes, like: Digest | None = None) -> Digest:
    """Compute a digest, with the algorithm of another one (sha256 without)."""
    algorithm = like.name.partition(":")[0] if like else "sha256"
    return Digest(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")


def read(content: bytes) -> Any:
    """Read JSON that somebody else wrote; None when it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def parse_digest(text: object) -> Digest | None:
    """Read a digest that somebody else wrote; None when it is not one."""
    try:
        return Digest(text) if isinstance(text, str) else None
    except InvalidError:
        return None


def commit_tags(content: bytes) -> list[str]:
    """Return the tags of one page of a tag list that name commits; InvalidError when it is no such list."""
    match read(content):
        case {"tags": [*names]} if all(isinstance(name, str) for name in names):
            return [name for name in names if Tag(name).commit_prefix]
        case {"tags": None}:
            return []
    raise InvalidError("no list of tags")


def first_platform(index: bytes) -> Digest | None:
    """Return the first OCI manifest of an index that is an image: attestations come as entries, too."""
    match read(index):
        case {"manifests": [*entries]}:
            return next((parse_digest(entry.get("digest")) for entry in entries if _is_image(entry)), None)
    return None


def _is_image(entry: object) -> bool:
    match entry:
        case {"annotations": {"vnd.docker.reference.type": _}} | {"platform": {"os": "unknown"}}:
            return False
        case {"digest": str()}:
            return True
    return False


def config_of(manifest: bytes) -> Digest | None:
    """Return the digest of an OCI manifest's configuration."""
    match read(manifest):
        case {"config": {"digest": digest}}:
            return parse_digest(digest)
    return None


def revision_of(config: bytes) -> str | None:
    """Return the commit (its full name) that an image's label says it was built from."""
    match read(config):
        case {"config": {"Labels": {"org.opencontainers.image.revision": str(revision)}}}:
            return revision if _COMMIT.fullmatch(revision) else None
    return None


def complaint(content: bytes, secrets: Iterable[str] = ()) -> str:
    """Return the first error that a registry reports, `DENIED: requested access …`, as one plain line."""
    match read(content):
        case {"errors": [{"code": str(code), "message": str(message)}, *_]}:
            text = f"{code}: {message}"
        case {"errors": [{"code": str(text)}, *_]} | {"details": str(text)} | {"message": str(text)}:
            pass
        case _:
            return ""
    return short_line(without(secrets, text))
