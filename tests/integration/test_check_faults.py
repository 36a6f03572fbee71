"""One fault planted in a copy of this repository, with sources of our own, is found, and nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from orbit_release import config
from orbit_release.check.kustomize import Kustomize
from orbit_release.check.run_rules import check
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone
from orbit_release.git.process import OFFLINE
from tests.integration.monorepo import environment, git, run_in

ROOT = Path(__file__).parents[2]
PARTS = ("infrastructure", ".github", "orbit-release.yaml")
GO = """\
FROM golang AS build
COPY {own}/ {own}/
COPY proto/ proto/
{more}RUN go build ./...
FROM scratch
COPY --from=build /a /a
"""
FOLDERS = ("services/repository", "services/build-service", "services/bifrost", "services/kafka", "services/plugins")
SOURCES = {
    "proto/api.proto": "x",
    "orbit-www/Dockerfile": "FROM node\nCOPY package.json ./\nCOPY . .\n",
    "orbit-www/package.json": "{}",
    "orbit-www/src/app.ts": "x",
    "temporal-workflows/Dockerfile": GO.format(own="temporal-workflows", more="COPY services/kafka/ services/kafka/\n"),
    "temporal-workflows/main.go": "package main",
    "temporal-workflows/go.mod": "module a\nreplace b => ../services/kafka\n",
    "services/repository/go.mod": "module c\nreplace a => ../../temporal-workflows\n",
    **{f"{folder}/main.go": "package main" for folder in FOLDERS},
    **{f"{folder}/Dockerfile": GO.format(own=folder, more="") for folder in FOLDERS[1:]},
    "services/repository/Dockerfile": GO.format(
        own="services/repository", more="COPY temporal-workflows/ temporal-workflows/\n"
    ),
}
K8S, CONFIG, FLOW = "infrastructure/k8s", "orbit-release.yaml", ".github/workflows/build-and-push.yml"
WWW, BIFROST, SECRET = f"{K8S}/orbit-www", f"{K8S}/bifrost", f"{K8S}/externalsecret.yaml"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository in which nothing is to be found."""
    folder = tmp_path_factory.mktemp("sound") / "repo"
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        folder.mkdir(exist_ok=True)
        copy(ROOT / part, folder / part)
    write(folder, SOURCES)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def broken_rules(folder: Path) -> list[str]:
    """Return the rule of each finding in a repository; without a process of our own for each fault."""
    data = (folder / CONFIG).read_bytes()
    with Clone(str(folder), environment() | OFFLINE) as clone:
        source = Source(clone, config.load(data, CONFIG), CONFIG, data)
        findings, _ = check(source, render=Kustomize(str(folder), environment()).render)
    return [finding.rule.name for finding in findings]


def test_nothing_is_found_where_nothing_is_wrong(sound: Path) -> None:
    ran = run_in(sound, "check", "--format", "json")
    assert (ran.code, json.loads(ran.out)["findings"], json.loads(ran.out)["notes"]) == (0, [], []), ran.err


@pytest.mark.parametrize(
    ("path", "old", "new", "rule"),
    [
        (CONFIG, "- temporal-workflows/** # its", "# its", "inputs-copied"),
        (CONFIG, "- services/kafka/** # its", "# its", "inputs-copied"),
        (CONFIG, "paths: [services/bifrost/**, proto/**]", "paths: [services/bifrost/**]", "inputs-copied"),
        (CONFIG, "    context: orbit-www # its", "    # its", "inputs-context"),
        (CONFIG, "[services/plugins/**, proto/**]", "[services/plugins/**, proto/**, docs/**]", "inputs-dead-glob"),
        (CONFIG, "paths: [orbit-www/**]", "paths: [orbit-www/package.json]", "inputs-context-copied"),
        (CONFIG, "image: ", "# choose: the repository\nimage: ", "open-choice"),
        ("services/bifrost/Dockerfile", "COPY proto/ proto/", "COPY protos/ proto/", "inputs-missing"),
        ("services/bifrost/Dockerfile", "COPY proto/ proto/", 'COPY ["services/kafka/main.go", "x"]', "inputs-copied"),
        ("services/bifrost/Dockerfile", "RUN", "RUN --mount=source=services/kafka,target=/x", "inputs-copied"),
        ("temporal-workflows/go.mod", "../services/kafka", "../services/plugins", "inputs-replaced"),
        ("services/bifrost/Dockerfile", "", "services/bifrost/Dockerfile.dockerignore:proto\n", "inputs-missing"),
        (f"{K8S}/kustomization.yaml", "  - bifrost\n", "", "undeployed-service"),
        (f"{K8S}/kustomization.yaml", "  - bifrost\n", "  - bifrots\n", "refused-kustomization"),
        (f"{BIFROST}/deployment.yaml", "orbit/bifrost:", "orbit/bifrost2:", ("undeployed-service", "unknown-image")),
        (f"{BIFROST}/deployment.yaml", "bifrost:latest", "bifrost:v1.2.3", "pinned-tag"),
        (f"{BIFROST}/deployment.yaml", "bifrost:latest", "bifrost:sha-0000000", "tag-without-commit"),
        (f"{BIFROST}/deployment.yaml", "bifrost:latest", "bifrost:${TAG}", "placeholder-tag"),
        (f"{BIFROST}/deployment.yaml", "kind: Deployment", "kind: Deployment\nkind: Deployment", "uneditable-image"),
        (f"{BIFROST}/deployment.yaml", "  template:\n", "  template:\n  - ]: {\n", "broken-manifest"),
        (f"{K8S}/redis/service.yaml", "spec:\n", "spec:\n  - ]: {\n", "broken-manifest"),
        (f"{WWW}/deployment.yaml", "key: PAYLOAD_SECRET", "key: PAYLOAD_SECERT", "missing-secret-key"),
        (f"{WWW}/deployment.yaml", "orbit-secrets", "orbit-secret", ("missing-secret", "unused-secret-key")),
        (f"{WWW}/configmap.yaml", "  name: orbit-www", "  name: orbit-web", "missing-configmap"),
        (f"{K8S}/mongodb/pvc.yaml", "  name: ", "  name: x-", "missing-claim"),
        (SECRET, "\n  data:\n", "\n  data:\n    - {secretKey: UNREAD, remoteRef: {key: X}}\n", "unused-secret-key"),
        (SECRET, "        SVC_AUTH_SECRET: ", "        SVC_AUTH: ", "missing-secret-key"),
        (FLOW, "      packages: read # which", "      # which", "workflow-permissions"),
        (FLOW, "      contents: read # history, manifests and sources\n", "", "workflow-permissions"),
        (FLOW, "      packages: write # the image", "      packages: read", "workflow-permissions"),
        (FLOW, "          fetch-depth: 0\n", "", "workflow-history"),
        (FLOW, "    branches: [main]\n", "    branches: [main]\n    paths: ['services/**']\n", "workflow-filter"),
        (FLOW, "    branches: [main]\n", "    branches: [main]\n    paths-ignore: ['**.go']\n", "workflow-filter"),
        (FLOW, "uses: actions/checkout@", "uses: OWNER/checkout@", ("workflow-placeholder", "workflow-history")),
        (FLOW, "scope=${{ matrix.cache_scope }}", "scope=all", "workflow-cache"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_alone(
    sound: Path, path: str, old: str, new: str, rule: str | tuple[str, ...]
) -> None:
    before = (sound / path).read_text()
    assert old in before
    planted, text = (path, before.replace(old, new, 1)) if old else new.split(":", 1)
    write(sound, {planted: text})
    try:
        assert {*broken_rules(sound)} == ({rule} if isinstance(rule, str) else {*rule})
    finally:
        (sound / planted).unlink()
        write(sound, {path: before})


def test_what_kustomize_refuses_is_told_once(sound: Path) -> None:
    before = (sound / f"{K8S}/kustomization.yaml").read_text()
    write(sound, {f"{K8S}/kustomization.yaml": f"bogus: 1\n{before}"})
    try:
        assert broken_rules(sound) == ["refused-kustomization"]
    finally:
        write(sound, {f"{K8S}/kustomization.yaml": before})
