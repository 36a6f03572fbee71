"""What a kustomization generates: config maps and secrets hold no images; charts and plugins cannot be seen here."""

from __future__ import annotations

import posixpath
from contextlib import suppress

from orbit_release.errors import InvalidError
from orbit_release.manifests.helm.files import CHART, VALUES
from orbit_release.manifests.kustomize.fields import Fields, place
from orbit_release.manifests.kustomize.kustomization import Kustomization
from orbit_release.manifests.kustomize.reading import HelmValues, Reading, joined
from orbit_release.manifests.kustomize.resource import Pool, Resource
from orbit_release.manifests.kustomize.trees import any_key, empty_like, set_at
from orbit_release.manifests.texts.written import Written
from orbit_release.manifests.texts.yaml_nodes import Scalar

_GENERATED = {"configMapGenerator": "ConfigMap", "secretGenerator": "Secret"}


def note_generators(kustomization: Kustomization, pool: Pool, reading: Reading) -> None:
    """Note what cannot be seen, the values that charts get, and the files that are read.

    Config maps and secrets get a stand-in: patches may name them.
    """
    fields = kustomization.fields
    _note_generated(kustomization, pool, reading)
    for chart in (*fields.mappings("helmCharts"), *fields.mappings("helmChartInflationGenerator")):
        _note_chart(kustomization, chart, reading)
    for key in ("crds", "validators"):
        for written in fields.strings(key):
            _note_file(kustomization, written, reading)
    for written in fields.strings("generators"):
        _note_file(kustomization, written, reading)
        reading.not_seen(f"{written.where}: what a generator makes cannot be seen here")
    if (schema := fields.mapping("openapi")) and (path := schema.written("path")):
        _note_file(kustomization, path, reading)


def _note_generated(kustomization: Kustomization, pool: Pool, reading: Reading) -> None:
    fields = kustomization.fields
    for key, kind in _GENERATED.items():
        for generator in fields.mappings(key):
            resource = _stand_in(generator, kind)
            if not pool.by_id(resource.id):  # `behavior: merge` adds to what is there
                pool.add(resource)
            for written in (*generator.strings("files"), *generator.strings("envs")):
                _note_file(kustomization, written, reading)
            if env := generator.written("env"):
                _note_file(kustomization, env, reading)


def _stand_in(generator: Fields, kind: str) -> Resource:
    name = generator.get("name")
    like = name if isinstance(name, Scalar) else any_key(generator.node)
    root = empty_like(generator.node)
    set_at(root, ("apiVersion",), "v1", like)
    set_at(root, ("kind",), kind, like)
    set_at(root, ("metadata", "name"), generator.string("name"), like)
    resource = Resource.read(generator.text, 0, root)
    resource.namespace, resource.is_generated = generator.string("namespace"), True
    return resource


def _note_file(kustomization: Kustomization, written: Written, reading: Reading) -> str | None:
    """Note that a file is read, if it is there; `files:` may name a key before it."""
    for name in (written.value, written.value.partition("=")[2]):
        with suppress(InvalidError):
            path = joined(kustomization.folder, name, written)
            if name and reading.has(path):
                reading.seen.add(path)
                return path
    return None


def _note_chart(kustomization: Kustomization, chart: Fields, reading: Reading) -> None:
    name = chart.string("name") or chart.string("chartName")
    reading.not_seen(f"{place(chart.text, chart.node)}: what the chart {name} makes cannot be seen here")
    named = [chart.written("valuesFile"), chart.written("values"), *chart.strings("additionalValuesFiles")]
    paths = [_note_file(kustomization, written, reading) for written in named if written]
    inline = chart.get("valuesInline")
    folder, defaults = _own_values(kustomization, name, reading)
    files = tuple(dict.fromkeys(path for path in (*defaults, *paths) if path))
    layers = ((chart.text, inline),) if inline is not None else ()
    reading.charts[id(chart.node)] = HelmValues(files, layers, folder)


def _own_values(kustomization: Kustomization, name: str, reading: Reading) -> tuple[str | None, list[str]]:
    """Return the folder of a chart that lies in this repository, else None, and the file of its own values.

    https://kubectl.docs.kubernetes.io/references/kustomize/builtins/#_helmchartinflationgenerator_
    """
    settings = kustomization.fields.mapping("helmGlobals")
    home = (settings.string("chartHome") if settings else "") or "charts"
    folder = posixpath.normpath(posixpath.join(kustomization.folder, home, name))
    if not name or folder.startswith("..") or not reading.has(f"{folder}/{CHART}"):
        return None, []
    own = [path for path in (f"{folder}/{VALUES}",) if reading.has(path)]
    reading.seen.update(own)
    return folder, own
