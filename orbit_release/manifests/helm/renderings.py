"""Helm values, and images set by kustomize, inside objects of Flux (HelmRelease, Kustomization) and of Argo CD."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orbit_release.manifests.helm.kustomize_images import ImageOverride, override_entries, override_strings
from orbit_release.manifests.helm.leaves import Leaf, Values, parameters
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, UnreadableError, parse, text

_FLUX = "helm.toolkit.fluxcd.io/"
_FLUX_KUSTOMIZE = "kustomize.toolkit.fluxcd.io/"
_ARGO_CD = "argoproj.io/"
# Where an object has the source of an application, below its root.
_SOURCES = {"Application": ("spec",), "ApplicationSet": ("spec", "template", "spec")}


@dataclass(frozen=True, slots=True)
class Rendering:
    """A chart, or a folder, that an object or a file of overrides has rendered with values of its own.

    `folder` is the chart's, "" where it is not said; `value_files` are paths from there.
    `values` are the layers of the object itself, the outer over the inner ones: a caller lays them over those of the
    files. `overrides` change the rendered images. `unclear` says why the values cannot be known, as `path:line: why`.
    """

    values: Values
    overrides: tuple[ImageOverride, ...] = ()
    value_files: tuple[Written, ...] = ()
    folder: str = ""
    unclear: tuple[str, ...] = ()


def renderings_of(obj: MappingNode, written: Text) -> Iterator[Rendering]:
    """Yield what an object has rendered: one for an object of Flux, one per source for those of Argo CD."""
    kind, version = text(obj, "kind"), text(obj, "apiVersion")
    if kind == "HelmRelease" and version.startswith(_FLUX):
        yield _helm_release(Values.read(obj, written, "spec"))
    elif kind == "Kustomization" and version.startswith(_FLUX_KUSTOMIZE):
        # https://fluxcd.io/flux/components/kustomize/kustomizations/#images
        yield Rendering(Values(), tuple(override_entries(Values.read(obj, written, "spec"), "images")))
    yield from map(rendering_of, sources_of(obj, written))


def sources_of(obj: MappingNode, written: Text) -> list[Values]:
    """Return the sources of an Application or ApplicationSet; none for other objects.

    `sources` replace `source`: https://argo-cd.readthedocs.io/en/stable/user-guide/multiple_sources/
    """
    path = _SOURCES.get(text(obj, "kind"))
    if path is None or not text(obj, "apiVersion").startswith(_ARGO_CD):
        return []
    spec = Values.read(obj, written, *path)
    return spec.items("sources") or [spec.under("source")]


def _helm_release(spec: Values) -> Rendering:
    """Read https://fluxcd.io/flux/components/helm/helmreleases/#values."""
    chart = spec.under("chart", "spec")
    overrides = (
        override for item in spec.items("postRenderers") for override in override_entries(item, "kustomize", "images")
    )
    files = (*_scalars(chart, "valuesFile"), *_scalars(chart, "valuesFiles"))
    return Rendering(spec.under("values"), tuple(overrides), files, folder=chart.text("chart"))


def rendering_of(source: Values) -> Rendering:
    """Read a source of Argo CD: parameters go before `valuesObject`, and that before `values`.

    https://argo-cd.readthedocs.io/en/stable/user-guide/helm/
    """
    helm = source.under("helm")
    block = helm.get("values")
    tree = helm.under("valuesObject")
    tree, unclear = (tree, ()) if tree.leaves or not block else _block(block)
    return Rendering(
        parameters(helm, "parameters").set_on(tree),
        tuple(override_strings(source, "kustomize", "images")),
        _scalars(helm, "valueFiles"),
        source.text("path"),
        unclear,
    )


def _block(block: Leaf) -> tuple[Values, tuple[str, ...]]:
    """Read values that stand as text in a value; what comes of them is marked, because they are not edited."""
    inner = Text.of_value(block.at)
    try:
        documents = parse(inner.text, inner.path)
    except UnreadableError as error:
        line = inner.first_line + error.place[0] - 1
        return Values(), (f"{inner.path}:{line}: these values cannot be read: {error.problem}",)
    values = Values.read(documents[0].root, inner) if documents else Values()
    return values, (block.fault,) if block.fault else ()


def _scalars(values: Values, *keys: str) -> tuple[Written, ...]:
    """Return the scalar at a key path, or those of the list there."""
    leaves = (values.get(*keys), *(item.get() for item in values.items(*keys)))
    return tuple(leaf.at for leaf in leaves if leaf)
