"""The real kustomize: what it renders is checked, and told of where it is written."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from orbit_release.check.finding import Finding
from orbit_release.check.kustomize import Kustomize
from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.wiring.rendered_groups import rendered_groups
from orbit_release.check.wiring.wiring_rules import check_wiring
from tests.shop import CONFIG, KUSTOMIZATION, SHOP, WEB, tree

ROOT = Path(__file__).resolve().parents[2]
WORKLOAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n"


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Return an environment with a program that renders on PATH, as `scripts/render` finds it or gets it."""
    loader = importlib.machinery.SourceFileLoader("render", str(ROOT / "scripts/render"))
    spec = importlib.util.spec_from_loader("render", loader)
    assert spec
    render = importlib.util.module_from_spec(spec)
    loader.exec_module(render)
    folder = os.path.dirname(render.renderer()[0])
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}" if folder else os.environ["PATH"]}


def check(folder: Path, files: Mapping[str, str], environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the findings as `rule file:line`, and the notes, of files that are written to a folder."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    found, notes = rendered_groups(ManifestFolder(tree(files), "k8s"), Kustomize(str(folder), environment).render)
    findings = [f"{one.rule.name} {one.path}:{one.line}" for one in check_wiring(found)]
    return findings, [note.message for note in notes]


def overlaid(overlay: str, **files: str) -> dict[str, str]:
    """Return the shop as a base, and an overlay of it."""
    based = {path.replace("k8s/", "k8s/base/"): text for path, text in SHOP.items()}
    more = {f"k8s/prod/{name}.yaml": text for name, text in files.items()}
    return {**based, "k8s/prod/kustomization.yaml": overlay, **more}


def test_an_overlay_with_names_of_its_own_is_wired(tmp_path: Path, environment: dict[str, str]) -> None:
    overlay = "resources: [../base]\nnamePrefix: blue-\n"
    findings, notes = check(tmp_path, overlaid(overlay), environment)
    assert notes == []
    assert findings == []


def test_a_patch_that_takes_a_key_away_is_told_of_in_the_base(tmp_path: Path, environment: dict[str, str]) -> None:
    patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-config}\ndata: {level: null}\n"
    findings, notes = check(
        tmp_path, overlaid("resources: [../base]\npatches: [{path: p.yaml}]\n", p=patch), environment
    )
    assert notes == []
    line = next(number for number, text in enumerate(WEB.splitlines(), 1) if "key: level" in text)
    assert findings == [f"missing-configmap-key k8s/base/web.yaml:{line}"]


def test_a_generator_makes_what_pods_refer_to(tmp_path: Path, environment: dict[str, str]) -> None:
    files = {
        **SHOP,
        "k8s/web.yaml": WEB.replace("name: web-config\n          volumeMounts", "name: made\n          volumeMounts"),
    }
    plain, _ = check(tmp_path, files, environment)
    assert [one.split()[0] for one in plain] == ["missing-configmap"]
    files["k8s/kustomization.yaml"] = KUSTOMIZATION + "configMapGenerator: [{name: made, literals: [level=7]}]\n"
    assert check(tmp_path, files, environment) == ([], [])


def test_a_reserved_key_stays_so_in_an_overlay(tmp_path: Path, environment: dict[str, str]) -> None:
    overlay = "resources: [../base]\npatches: [{path: p.yaml}]\n"
    patch = f"{WORKLOAD}spec: {{replicas: 2}}\n"
    assert check(tmp_path, overlaid(overlay, p=patch), environment) == ([], [])
    files = overlaid(overlay, p=patch) | {"k8s/base/config.yaml": CONFIG.replace("# reserved:", "#")}
    line = next(at for at, one in enumerate(CONFIG.splitlines(), 1) if "OLD_KEY" in one)
    assert check(tmp_path, files, environment)[0] == [f"unused-secret-key k8s/base/config.yaml:{line}"]


def test_a_component_is_rendered_and_not_checked_on_its_own(tmp_path: Path, environment: dict[str, str]) -> None:
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: p.yaml}]\n"
    files = overlaid("resources: [../base]\ncomponents: [../more]\n")
    files |= {"k8s/more/kustomization.yaml": component, "k8s/more/p.yaml": f"{WORKLOAD}spec: {{replicas: 2}}\n"}
    assert check(tmp_path, files, environment) == ([], [])


@pytest.mark.parametrize(
    ("overlay", "why"),
    [
        ("resources: [../base, https://example.com/x.yaml]\n", "is not in this repository"),
        ("resources: [github.com/acme/x?ref=v1]\n", "is not in this repository"),
        ("resources: [../base]\nhelmCharts: [{name: x}]\n", "needs Helm"),
        ("resources: [../base]\npatches: [{path: https://127.0.0.1:1/p.yaml}]\n", "refuses it"),
    ],
)
def test_what_cannot_be_rendered_is_a_note(tmp_path: Path, environment: dict[str, str], overlay: str, why: str) -> None:
    findings, notes = check(tmp_path, overlaid(overlay), environment)
    assert findings == []
    assert len(notes) == 1
    assert notes[0].startswith("wiring of k8s/prod was not checked: ")
    assert why in notes[0]
    assert str(tmp_path) not in notes[0]


@pytest.mark.parametrize("line", ["patches: [{path: gone.yaml}]", "unheardOf: [1]"])
def test_what_the_program_refuses_is_a_finding(tmp_path: Path, environment: dict[str, str], line: str) -> None:
    files = overlaid(f"resources: [../base]\n{line}\n")
    check(tmp_path, files, environment)
    _, (found,) = rendered_groups(ManifestFolder(tree(files), "k8s"), Kustomize(str(tmp_path), environment).render)
    assert isinstance(found, Finding)
    assert (found.rule.name, found.path, found.line) == ("refused-kustomization", "k8s/prod/kustomization.yaml", 1)
    assert str(tmp_path) not in found.message


def test_without_a_program_a_note_says_so(tmp_path: Path) -> None:
    findings, notes = check(tmp_path, overlaid("resources: [../base]\nnamePrefix: a-\n"), {"PATH": str(tmp_path)})
    assert findings == []
    assert notes == ["wiring of k8s/prod was not checked: neither kustomize nor kubectl is on PATH"]


def test_a_program_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    program = tmp_path / "kustomize"
    program.write_text("#!/bin/sh\nexec /bin/cat /dev/zero > /dev/null\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    result = Kustomize(str(tmp_path), {"PATH": str(tmp_path)}, timeout=0.2).render(["k8s"])["k8s"]
    assert "took longer than 0.2 seconds" in str(result)


def test_this_repository_is_wired(environment: dict[str, str]) -> None:
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in (ROOT / "infrastructure/k8s").rglob("*.yaml")}
    found, notes = rendered_groups(
        ManifestFolder(tree(files), "infrastructure/k8s"), Kustomize(str(ROOT), environment).render
    )
    assert (check_wiring(found), notes) == ([], [])
    assert len(found) == 1
    assert len(found[0].objects) > 40
