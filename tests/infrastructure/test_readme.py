"""infrastructure/k8s/README.md says what the manifests do, and its options render."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.infrastructure.cluster import K8S, ROOT, Cluster
from tests.infrastructure.design import CLAIMS, DOPPLER, WORKLOADS

README = (K8S / "README.md").read_text()
SHARE = "/mnt/tank/appdata/orbit"


def section(title: str) -> str:
    """Return the text below a heading, up to the next one of its level or above."""
    level, _, rest = README.partition(f"# {title}\n")
    assert rest, f"no heading {title!r}"
    depth = len(level) - len(level.rstrip("#")) + 1
    return re.split(rf"(?m)^#{{1,{depth}}} (?=[A-Z0-9])", rest)[0]


def test_the_table_of_keys_is_what_doppler_is_asked_for() -> None:
    keys = re.findall(r"(?m)^\| `(ORBIT_[A-Z0-9_]+)` \| \S", section("1. Doppler: project and keys"))
    assert sorted(keys) == sorted(DOPPLER)
    assert re.search(r"`ORBIT_ENCRYPTION_KEY` .* `openssl rand -base64 32` \|", README)  # exactly 32 bytes, or it ends


def test_the_directories_are_made_with_the_owners_that_the_pods_run_as() -> None:
    text = section("2. NFS: directories with their owners")
    lines = re.findall(rf"install -d -m 07[05]0 -o (\d+) +-g (\d+) +{SHARE}/(\S+)", text)
    assert {name: f"{user}:{group}" for user, group, name in lines} == {
        name: claim[1] for name, claim in CLAIMS.items()
    }
    assert f"-m 0700 -o 70   -g 70   {SHARE}/postgresql\n" in text


def test_the_table_of_waves_is_true() -> None:
    rows = re.findall(r"(?m)^\| (-?\d+) \| (.*) \|$", README)
    named = {name: int(wave) for wave, text in rows for name in re.findall(r"`([a-z-]+)`", text) if name in WORKLOADS}
    assert named == {name: workload.wave for name, workload in WORKLOADS.items()}


def test_every_deviation_says_what_is_done_and_why() -> None:
    rows = [line.strip("|").split(" | ") for line in section("Deviations").splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    assert all(len(row) == 3 and row[1].strip() and row[2].strip() for row in rows)


def test_every_link_leads_somewhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"(?m)^#+ (.*)$", README)
    }
    assert {link for link in re.findall(r"\]\(#([^)]+)\)", README) if link not in anchors} == set()


def test_every_file_that_is_named_is_there() -> None:
    names = set(re.findall(r"`((?:infrastructure|scripts)/[\w/.-]+|[\w-]+/[\w-]+\.yaml|[\w-]+\.yaml)`", README))
    names -= {"redpanda.yaml"}  # in a ConfigMap
    assert len(names) > 4
    assert {name for name in names if not ((ROOT / name).exists() or (K8S / name).exists())} == set()


@dataclass(frozen=True)
class Option:
    """What is rendered without and with an option."""

    without: Cluster
    taken: Cluster

    @property
    def changed(self) -> list[str]:
        return [found["metadata"]["name"] for found in self.taken.objects if found not in self.without.objects]


@pytest.fixture
def option(tmp_path: Path, request: pytest.FixtureRequest) -> Option:
    """Return what the option of a title changes, whether or not it is taken today."""
    (block,) = re.findall(r"(?ms)^```yaml\n(.*?)^```$", section(request.param))
    first, _, lines = block.partition("\n")
    copy = tmp_path / "k8s"
    shutil.copytree(K8S, copy)
    file = copy / first.removeprefix("# ")
    text = file.read_text().replace(lines, "")
    file.write_text(text)
    without = Cluster.render(copy)
    file.write_text(text + lines)
    return Option(without, Cluster.render(copy))


@pytest.mark.parametrize("option", ["MongoDB 4.4"], indirect=True)
def test_mongodb_can_run_without_avx(option: Option) -> None:
    assert option.taken.running["mongodb"].main["image"] == "mongo:4.4.30"
    assert option.changed == ["mongodb"]


@pytest.mark.parametrize("option", ["Redpanda without NFS"], indirect=True)
def test_redpanda_can_run_without_its_claim(option: Option) -> None:
    pod = option.taken.running["redpanda"]
    assert pod.mounts(pod.main)["/var/lib/redpanda/data"] == {"name": "data", "emptyDir": {"sizeLimit": "10Gi"}}
    assert option.changed == ["redpanda"]


@pytest.mark.parametrize("option", ["Privileged BuildKit"], indirect=True)
def test_buildkit_can_run_privileged(option: Option) -> None:
    pod = option.taken.running["buildkit"]
    before = option.without.running["buildkit"].main["image"]
    assert pod.main["image"] == before.removesuffix("-rootless")
    assert pod.main["securityContext"] == {"privileged": True}
    assert "securityContext" not in pod.spec
    assert pod.main["args"] == ["--addr=unix:///run/buildkit/buildkitd.sock", "--addr=tcp://0.0.0.0:1234"]
    assert pod.mounts(pod.main)["/var/lib/buildkit"]["emptyDir"]["sizeLimit"] == "10Gi"
    assert pod.mounts(pod.main)["/etc/buildkit"]["configMap"]["name"] == "buildkit"
    assert option.changed == ["buildkit"]


@pytest.mark.parametrize("option", ["A login for the Temporal UI"], indirect=True)
def test_the_temporal_ui_can_have_a_login(option: Option) -> None:
    (policy,) = option.taken.kind("SecurityPolicy").values()
    (target,) = policy["spec"]["targetRefs"]
    assert target["name"] in option.taken.kind("HTTPRoute")
    assert policy["metadata"]["namespace"] == "orbit"
    assert f"create secret generic {policy['spec']['basicAuth']['users']['name']} " in README
    assert option.changed == ["temporal-ui"]


def test_the_line_for_mongodb_44_is_the_same_in_the_file_and_here() -> None:
    commented = [line.removeprefix("# ") for line in (K8S / "mongodb/kustomization.yaml").read_text().splitlines()]
    start = commented.index("images:")
    (block,) = re.findall(r"(?ms)^```yaml\n# \S+\n(.*?)^```$", section("MongoDB 4.4"))
    assert yaml.safe_load("\n".join(commented[start:])) == yaml.safe_load(block)
