"""What the OCI distribution protocol says, read without a network: addresses, digests, OCI manifests.

https://github.com/opencontainers/distribution-spec
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

from orbit_release.errors import InvalidError
from orbit_release.http import WebOrigin, is_loopback, parse_json, quoted
from orbit_release.image import DOCKER_HUB, Digest, Repository

# A registry that is not offered the type of a tag's OCI manifest answers 404, as if there were no such tag.
ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)

GHCR = WebOrigin("https", "ghcr.io")


def origin_of(repository: Repository) -> WebOrigin:
    """Return where a repository's registry answers: by https, except on loopback."""
    if repository.registry == DOCKER_HUB:
        return WebOrigin("https", "registry-1.docker.io")
    plain = WebOrigin.parse(f"http://{repository.registry}")
    if plain and is_loopback(str(plain)):
        return plain
    return WebOrigin.parse(f"https://{repository.registry}") or WebOrigin("https", repository.registry)


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


def parse_digest(text: object) -> Digest | None:
    """Read a digest that somebody else wrote; None when it is none."""
    try:
        return Digest(text) if isinstance(text, str) else None
    except InvalidError:
        return None


def tags_of(content: bytes) -> list[str]:
    """Return the tags of one page of a tag list; InvalidError when it is no such list."""
    match parse_json(content):
        case {"tags": [*names]} if all(isinstance(name, str) for name in names):
            return [name for name in names if isinstance(name, str)]
        case {"tags": None}:
            return []
    raise InvalidError("no list of tags")


def first_platform(index: bytes) -> Digest | None:
    """Return the first OCI manifest of an index that is an image: attestations come as entries, too."""
    match parse_json(index):
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
    match parse_json(manifest):
        case {"config": {"digest": digest}}:
            return parse_digest(digest)
    return None


def revision_of(config: bytes) -> str | None:
    """Return the commit (its full name) that an image's label says it was built from."""
    match parse_json(config):
        case {"config": {"Labels": {"org.opencontainers.image.revision": str(revision)}}}:
            return revision if _COMMIT.fullmatch(revision) else None
    return None


def complaint(content: bytes, secrets: Iterable[str] = ()) -> str:
    """Return the first error that a registry reports, `DENIED: requested access …`, as one plain line."""
    match parse_json(content):
        case {"errors": [{"code": str(code), "message": str(message)}, *_]}:
            text = f"{code}: {message}"
        case {"errors": [{"code": str(text)}, *_]} | {"details": str(text)} | {"message": str(text)}:
            pass
        case _:
            return ""
    return quoted(text, secrets)
