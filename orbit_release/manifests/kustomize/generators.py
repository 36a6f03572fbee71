"""What a kustomization generates: config maps and secrets hold no images; charts and plugins cannot be seen here."""

from __future__ import annotations

from contextlib import suppress

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.fields import Fields, place
from orbit_release.manifests.kustomize.kustomization import Kustomization
from orbit_release.manifests.kustomize.reading import HelmValues, Reading, joined
from orbit_release.manifests.written import Written

_GENERATED = ("configMapGenerator", "secretGenerator")


def note_generators(kustomization: Kustomization, reading: Reading) -> None:
    """Note what cannot be seen, the values that charts get, and the files that are read."""
    fields = kustomization.fields
    for key in _GENERATED:
        for generator in fields.mappings(key):
            for written in (*generator.strings("files"), *generator.strings("envs")):
                _note_file(kustomization, written, reading)
            if env := generator.written("env"):
                _note_file(kustomization, env, reading)
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
    files = tuple(path for path in paths if path)
    reading.charts[id(chart.node)] = HelmValues(files, ((chart.text, inline),) if inline is not None else ())
