"""Whether the images of the manifests are there, and whether a cluster may pull them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orbit_release.doctor.checklist import Line, failed, listed, ok, unchecked
from orbit_release.image import ImageReference


@dataclass(frozen=True, slots=True)
class Found:
    """What a registry says of an image; `is_public`: it says so to everybody; `error`: why it said nothing."""

    image: ImageReference
    is_there: bool = False
    is_public: bool = False
    is_denied: bool = False
    error: str = ""
    hint: str = ""


def images_line(found: Sequence[Found]) -> Line:
    """Tell whether the images exist."""
    missing = [one.image for one in found if not one.is_there and not one.error]
    unanswered = [one for one in found if one.error and not one.is_denied]
    denied = [one for one in found if one.is_denied]
    if missing:
        fix = "orbit-release build makes those of the services; others have another tag, or were deleted."
        return failed("registry", "images", f"not there: {listed(missing)}", fix)
    if unanswered:
        what = "; ".join(
            dict.fromkeys(f"{one.image.repository.host or 'docker.io'}: {one.error}" for one in unanswered)
        )
        return failed("registry", "images", what, "check the network and the registry's status page, and try again.")
    if denied:
        what = f"private, or not there: {listed(one.image for one in denied)}"
        return unchecked("registry", "images", what, denied[0].hint)
    return ok("registry", "images", f"{_counted(len(found))} of the manifests: all there")


def pull_line(found: Sequence[Found], secrets: Mapping[ImageReference, Sequence[str]]) -> Line:
    """Tell whether a cluster may pull the images: because they are public, or by a pull secret."""
    private = [one.image for one in found if not one.is_public and (one.is_there or one.is_denied)]
    naked = [image for image in private if not secrets.get(image)]
    unknown = [one.image for one in found if one.error and not one.is_denied]
    if naked:
        fix = "name an imagePullSecret in the workload or its ServiceAccount, or make the package public."
        return failed("registry", "pull", f"not public, and no pull secret is named: {listed(naked)}", fix)
    if private:
        names = listed(dict.fromkeys(name for image in private for name in secrets[image]))
        hosts = listed(dict.fromkeys(image.repository.host or "docker.io" for image in private))
        what = f"{_counted(len(private))} of {hosts} need the pull secret {names}, which the manifests name"
        fix = f"whether the cluster has it cannot be seen from here: kubectl get secrets {names.replace(', ', ' ')}"
        return unchecked("registry", "pull", what, fix)
    if unknown:
        return unchecked("registry", "pull", f"unanswered for {listed(unknown)}", "see registry/images.")
    return ok("registry", "pull", "every image that is there can be pulled anonymously")


def _counted(number: int) -> str:
    return "1 image" if number == 1 else f"{number} images"
