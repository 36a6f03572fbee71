"""history: what was deployed when, read from the manifests' own log."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.git.graph import Commit
from orbit_release.git.plumbing_output import Blobs
from orbit_release.image import Repository
from orbit_release.manifests.deployed import contents
from orbit_release.manifests.entries import is_structural
from orbit_release.manifests.files import Files
from orbit_release.manifests.names import Names
from orbit_release.manifests.places import RenderedImage, service_places
from orbit_release.releases.timeline import Images, LoggedImages, Stretch, explain, replay
from orbit_release.service import Service

_AT_ONCE = 64  # commits whose manifests are read, and in a clone without blobs fetched, together
_Leaves = Mapping[str, tuple[RenderedImage, ...] | None]  # by file; None for one that cannot be read
