"""Applications of Argo CD outside of the manifests' paths that override an image: a release cannot edit them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orbit_release.errors import InvalidError
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import Repository
from orbit_release.manifests.names import Names
from orbit_release.manifests.objects import ENDINGS, is_below
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.manifests.image_value import ImageValue

_ARGO_CD = "argoproj.io/"


def overrides_elsewhere(source: Source, tip: Tip, services: Sequence[Service]) -> dict[str, InvalidError]:
    """Return why services cannot be released, by name: nobody may sync the file, so no release edits it."""
    names = Names([service.repository for service in services])
    found: dict[Repository, InvalidError] = {}
    for value in _overrides(source, tip):
        repository = names.repository(value.name)
        if repository and value.scalars:
            message = f"{value.scalars[0].where}: this overrides the image of {repository}, outside of `manifests:`"
            hint = "take it out, or move the Application below `manifests:`; releases then edit it, too."
            found.setdefault(repository, InvalidError(message, hint))
    return {service.name: found[service.repository] for service in services if service.repository in found}


def _overrides(source: Source, tip: Tip) -> Iterator[ImageValue]:
    """Yield what Applications outside of the manifests' paths set on what lies there."""
    from orbit_release.manifests.helm.charts import images_by_folder  # noqa: PLC0415

    own, files = source.config.manifests, source.files(tip.commit)
    for path in source.git.files_with(tip.commit, _ARGO_CD, ENDINGS):
        parsed = None if any(is_below(path, folder) for folder in own) else files.parsed(path)
        for obj in parsed.objects if parsed else ():
            for folder, value in images_by_folder(obj, parsed.text, files) if parsed else ():
                if any(is_below(each, folder) or is_below(folder, each) for each in own):
                    yield value
