"""Which files are Helm's, by their names."""

from __future__ import annotations

import re
from collections.abc import Collection

CHART = "Chart.yaml"
VALUES = "values.yaml"  # the defaults of a chart

# `values.yaml`, `values-production.yml`, `values.prod.yaml`, `values_eu.yaml`.
_VALUES = re.compile(r"values([-_.].*)?\.ya?ml")
_OVERRIDES = re.compile(r"\.argocd-source(-.+)?\.yaml")


def is_values_file(path: str) -> bool:
    """Whether a file's name says that it holds values; what its folder is called says nothing."""
    return bool(_VALUES.fullmatch(_name(path)))


def is_overrides_file(path: str) -> bool:
    """Whether Argo CD reads a file for overrides: `.argocd-source.yaml`, or `.argocd-source-<application>.yaml`.

    https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/#store-overrides-in-git
    """
    return bool(_OVERRIDES.fullmatch(_name(path)))


def chart_of(path: str, names: Collection[str]) -> str | None:
    """Return the nearest folder with a Chart.yaml that a path lies in, "" for the root; None outside of charts.

    Make `names` a set.
    """
    folders = path.split("/")[:-1]
    starts = ("/".join(folders[:size]) for size in range(len(folders), -1, -1))
    return next((start for start in starts if f"{start}/{CHART}".lstrip("/") in names), None)


def is_chart_part(path: str, names: Collection[str]) -> bool:
    """Whether a file is a chart's and no manifest: a template, a definition, a part of a chart, all but its values.

    What Argo CD reads beside a chart is none of it.
    """
    chart = chart_of(path, names)
    return chart is not None and not (is_chart_values(path, chart) or is_overrides_file(path))


def is_chart_values(path: str, chart: str) -> bool:
    """Whether a file of a chart holds values: also below `env/`, not below its templates or parts."""
    inner = path[len(chart) + 1 :] if chart else path
    return is_values_file(path) and inner.split("/")[0] not in ("templates", "crds", "charts")


def _name(path: str) -> str:
    return path.rpartition("/")[2]
