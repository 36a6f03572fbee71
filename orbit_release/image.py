"""Names of images, valid once constructed.

The grammar is that of distribution/reference (https://pkg.go.dev/github.com/distribution/reference), which is
what the OCI distribution specification, Docker and Kubernetes accept. Nothing is rewritten: `redis` stays `redis`,
and equals `docker.io/library/redis`, which names the same image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from orbit_release.errors import InvalidError

# A domain component may hold upper case and inner hyphens; a path component may not hold upper case.
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_IPV6 = r"\[(?:[a-fA-F0-9:]+)\]"
_DOMAIN = re.compile(rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|{_IPV6})(?::[0-9]+)?", re.ASCII)
_PATH_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}"
_MAX_PATH = 255
DOCKER_HUB = "docker.io"
# The hosts that Docker Hub has had. distribution/reference (normalize.go) reads the first two as one; the last is
# the one that answers.
DOCKER_HUB_HOSTS = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})


def _invalid(noun: str, text: str, rule: str) -> InvalidError:
    return InvalidError(f"invalid {noun} {text!r}", f"{rule}.")


def _is_domain(first: str) -> bool:
    """Whether a first part names a host: it has a dot, a port or an upper-case letter, or is localhost."""
    return any(mark in first for mark in ".:[") or first == "localhost" or first.lower() != first


@dataclass(frozen=True, slots=True)
class Repository:
    """An image name without tag and digest: `ghcr.io/drewpayment/orbit/bifrost`.

    `name` is how it is spelled; spellings of one image are equal. `registry` is the `host[:port]` that keeps it,
    `docker.io` for all names of Docker Hub, and `remote` the name there: Docker Hub keeps `redis` as `library/redis`.
    """

    name: str = field(compare=False)
    registry: str = field(init=False, repr=False)
    remote: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._validate()
        host, path = self.host or DOCKER_HUB, self.path
        is_hub = host in DOCKER_HUB_HOSTS
        object.__setattr__(self, "registry", DOCKER_HUB if is_hub else host)
        object.__setattr__(self, "remote", f"library/{path}" if is_hub and "/" not in path else path)

    def _validate(self) -> None:
        first, slash, rest = self.name.partition("/")
        path = rest if slash and _is_domain(first) else self.name
        if path is rest and not _DOMAIN.fullmatch(first):
            raise _invalid("repository", self.name, f"{first!r} is not a host name with an optional port")
        if not path or not all(_PATH_PART.fullmatch(part) for part in path.split("/")):
            rule = "Between slashes: lower-case letters and digits, joined by '.', '_', '__' or '-'"
            raise _invalid("repository", self.name, rule)
        if len(path) > _MAX_PATH:
            raise _invalid("repository", self.name, f"The path is at most {_MAX_PATH} characters")
        if re.fullmatch(r"[0-9a-f]{64}", path):
            raise _invalid("repository", self.name, "64 hexadecimal digits are an image id, not a name")

    def __str__(self) -> str:
        return self.name

    @property
    def host(self) -> str:
        """The registry's `host[:port]`, or "" where the name does not say (Docker Hub)."""
        first, slash, _ = self.name.partition("/")
        return first if slash and _is_domain(first) else ""

    @property
    def path(self) -> str:
        """The name inside its registry: `drewpayment/orbit/bifrost`."""
        return self.name.removeprefix(self.host + "/") if self.host else self.name


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag: `latest`, `sha-1a2b3c4`, `v1.2.3`."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(_TAG, self.name):
            rule = "A tag is 1 to 128 of A-Z a-z 0-9 _ . - and starts with none of '.' and '-'"
            raise _invalid("tag", self.name, rule)

    def __str__(self) -> str:
        return self.name


LATEST = Tag("latest")


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest of an OCI manifest: `sha256:` and 64 digits, or `sha512:` and 128."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(_DIGEST, self.name):
            rule = "A digest is sha256: and 64, or sha512: and 128, lower-case hexadecimal digits"
            raise _invalid("digest", self.name, rule)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A repository with an optional tag and an optional digest; `parse(str(x)) == x`."""

    repository: Repository
    tag: Tag | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        return f"{self.repository}{self.suffix}"

    @property
    def suffix(self) -> str:
        """The `[:tag][@digest]` behind the repository."""
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def version(self) -> str:
        """What people call it: the tag, else the digest, else `untagged`."""
        return str(self.tag or self.digest or "untagged")

    @property
    def pulled(self) -> ImageReference:
        """What a container engine pulls: where there is a digest, the tag before it says nothing."""
        return replace(self, tag=None) if self.digest else self

    @classmethod
    def read(cls, text: str) -> ImageReference | None:
        """Parse what somebody else wrote; None where it is no reference."""
        try:
            return cls.parse(text)
        except InvalidError:
            return None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read `repository[:tag][@digest]`; a colon before the last slash is a port, not a tag."""
        rest, at, digest = text.partition("@")
        slash, colon = rest.rfind("/"), rest.rfind(":")
        name, tag = (rest[:colon], rest[colon + 1 :]) if colon > slash else (rest, None)
        return cls(Repository(name), Tag(tag) if tag is not None else None, Digest(digest) if at else None)


def not_among(wanted: Iterable[ImageReference], images: Iterable[ImageReference]) -> list[ImageReference]:
    """Return the references whose image is none of others."""
    pulled = {image.pulled for image in images}
    return [image for image in wanted if image.pulled not in pulled]
