"""Whether the images of the manifests are there, and whether a cluster may pull them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orbit_release.doctor.checklist import ChecklistLine, failed_line, listed, ok_line, unchecked_line
from orbit_release.image import ImageReference
from orbit_release.text import counted


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """What a registry says of an image; `is_public`: it says so to everybody; `error`: why it said nothing."""

    image: ImageReference
    is_there: bool = False
    is_public: bool = False
    is_denied: bool = False
    error: str = ""
    hint: str = ""


def images_line(answers: Sequence[RegistryAnswer]) -> ChecklistLine:
    missing = [answer.image for answer in answers if not answer.is_there and not answer.error]
    unanswered = [answer for answer in answers if answer.error and not answer.is_denied]
    denied = [answer for answer in answers if answer.is_denied]
    if missing:
        fix = "orbit-release build makes those of the services; others have another tag, or were deleted."
        return failed_line("registry", "images", f"not there: {listed(missing)}", fix)
    if unanswered:
        what = "; ".join(dict.fromkeys(f"{_host(answer.image)}: {answer.error}" for answer in unanswered))
        fix = "check the network and the registry's status page, and try again."
        return failed_line("registry", "images", what, fix)
    if denied:
        what = f"private, or not there: {listed(answer.image for answer in denied)}"
        return unchecked_line("registry", "images", what, denied[0].hint)
    return ok_line("registry", "images", f"{counted(len(answers), 'image')} of the manifests: all there")


def pull_line(answers: Sequence[RegistryAnswer], secrets: Mapping[ImageReference, Sequence[str]]) -> ChecklistLine:
    """Tell whether a cluster may pull the images: because they are public, or by a pull secret."""
    private = [answer.image for answer in answers if not answer.is_public and (answer.is_there or answer.is_denied)]
    naked = [image for image in private if not secrets.get(image)]
    unknown = [answer.image for answer in answers if answer.error and not answer.is_denied]
    if naked:
        fix = "name an imagePullSecret in the workload or its ServiceAccount, or make the package public."
        return failed_line("registry", "pull", f"not public, and no pull secret is named: {listed(naked)}", fix)
    if private:
        names = listed(dict.fromkeys(name for image in private for name in secrets[image]))
        hosts = listed(dict.fromkeys(map(_host, private)))
        what = f"{counted(len(private), 'image')} of {hosts} need the pull secret {names}, which the manifests name"
        fix = f"whether the cluster has it cannot be seen from here: kubectl get secrets {names.replace(', ', ' ')}"
        return unchecked_line("registry", "pull", what, fix)
    if unknown:
        return unchecked_line("registry", "pull", f"unanswered for {listed(unknown)}", "see registry/images.")
    return ok_line("registry", "pull", "every image that is there can be pulled anonymously")


def _host(image: ImageReference) -> str:
    return image.repository.host or "docker.io"
