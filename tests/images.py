"""Images put into a real registry by its API alone, without an engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import requests

from orbit_release.image import Digest, Repository

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def push_blob(repository: Repository, content: bytes, auth: tuple[str, str] | None = None) -> dict[str, object]:
    """Upload a blob and return its descriptor."""
    digest = digest_of(content)
    base = f"http://{repository.host}/v2/{repository.path}/blobs/uploads/"
    with requests.post(base, auth=auth, timeout=600) as begun:
        begun.raise_for_status()
    with requests.put(begun.headers["Location"], content, params={"digest": digest}, auth=auth, timeout=600) as done:
        done.raise_for_status()
    return {"mediaType": "application/octet-stream", "digest": digest, "size": len(content)}


def push_manifest(
    repository: Repository, tag: str, kind: str, content: Mapping[str, object], auth: tuple[str, str] | None = None
) -> Digest:
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, **content}, indent=1).encode()
    url = f"http://{repository.host}/v2/{repository.path}/manifests/{tag}"
    with requests.put(url, body, headers={"Content-Type": kind}, auth=auth, timeout=600) as done:
        done.raise_for_status()
    return Digest(digest_of(body))


def push_image(
    repository: Repository,
    tag: str,
    labels: Mapping[str, str] | None = None,
    *,
    kind: str = MANIFEST,
    auth: tuple[str, str] | None = None,
) -> Digest:
    config = {"architecture": "amd64", "os": "linux", "config": {"Labels": labels}, "rootfs": {"type": "layers"}}
    descriptor = push_blob(repository, json.dumps(config).encode(), auth)
    return push_manifest(repository, tag, kind, {"config": descriptor, "layers": []}, auth)


def push_index(repository: Repository, tag: str, entries: Sequence[tuple[Digest, Mapping[str, object]]]) -> Digest:
    described = []
    for digest, extra in entries:
        url = f"http://{repository.host}/v2/{repository.path}/manifests/{digest}"
        with requests.get(url, headers={"Accept": MANIFEST}, timeout=600) as manifest:
            size = len(manifest.content)
        described.append({"mediaType": MANIFEST, "digest": str(digest), "size": size, **extra})
    return push_manifest(repository, tag, INDEX, {"manifests": described})
