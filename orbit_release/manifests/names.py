"""Which files of a folder are manifests and kustomizations, by their names."""

from __future__ import annotations

ENDINGS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_ENDINGS = tuple(ending.encode() for ending in ENDINGS)  # git's names are bytes


def is_manifest(path: bytes) -> bool:
    return path.endswith(_ENDINGS)


def is_kustomization(path: str) -> bool:
    return path.rpartition("/")[2] in KUSTOMIZATIONS
