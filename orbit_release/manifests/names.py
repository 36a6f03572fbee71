"""Which files of a folder are manifests and kustomizations, by their names."""

from __future__ import annotations

ENDINGS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_ENDINGS = tuple(ending.encode() for ending in ENDINGS)  # git's names are bytes


def is_manifest(path: bytes) -> bool:
    """Whether a file of the manifests' folder is one, by its name."""
    return path.endswith(_ENDINGS)


def is_kustomization(path: str) -> bool:
    """Whether a file is a kustomization, by its name."""
    return path.rpartition("/")[2] in KUSTOMIZATIONS
