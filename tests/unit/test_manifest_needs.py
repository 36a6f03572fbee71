"""What the manifests need from their surroundings, read from their text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orbit_release.doctor.manifest_needs import Needs, needs
from orbit_release.manifests.deployed import Manifests, Search
from orbit_release.manifests.entries.files import Files

SHIPPED = Path(__file__).parents[2] / "infrastructure" / "k8s"

POD = """\
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {SPEC containers: [{name: web, image: "IMAGE"}]}}}
"""
CLASS = """\
kind: StorageClass
metadata: {name: fast}
provisioner: nfs.csi.k8s.io
parameters: {server: nfs.example.com, share: /srv/, subDir: "SUB"}
---
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: fast}
---
kind: PersistentVolumeClaim
metadata: {name: other}
spec: {storageClassName: slow}
---
kind: StatefulSet
metadata: {name: db}
spec:
  volumeClaimTemplates: [{metadata: {name: pg}, spec: {storageClassName: fast}}]
"""


def read(*texts: str, **named: str) -> Needs:
    """Read files that are called 0.yaml, 1.yaml, …, and `Kustomization`."""
    return read_files({f"{number}.yaml": text for number, text in enumerate(texts)} | named)


def read_files(texts: Mapping[str, str], path: str = ".") -> Needs:
    files = {name: text.encode() for name, text in texts.items()}
    return needs(Manifests.read(Files([*files], files.get), Search((path,))))


def images(*texts: str, **named: str) -> dict[str, tuple[str, ...]]:
    return {str(image): secrets for image, secrets in read(*texts, **named).images.items()}


def pod(image: str, spec: str = "") -> str:
    return POD.replace("IMAGE", image).replace("SPEC", spec)


def test_the_shipped_deployment_needs_what_its_readme_says() -> None:
    files = {f"k8s/{file.relative_to(SHIPPED)}": file.read_text() for file in SHIPPED.rglob("*.yaml")}
    found = read_files(files, "k8s")
    readme = (SHIPPED / "README.md").read_text()
    (keys,) = found.keys.values()
    assert len(keys) == 19
    assert all(f"| `{key}` |" in readme for key in keys)
    assert found.hosts == found.secured
    assert set(found.hosts) == {"orbit.hoytlabs.app", "temporal.orbit.hoytlabs.app"}
    (paths,) = found.directories.values()
    assert len(paths) == 6
    assert all(f" {path}\n" in readme for path in paths)
    ours = [secrets for image, secrets in found.images.items() if image.repository.host == "ghcr.io"]
    assert len(ours) == 7
    assert set(ours) == {("ghcr-pull-secret",)}
    assert found.unread == ()


def test_keys_are_those_of_every_store_but_the_ones_that_are_not_dopplers() -> None:
    secret = "kind: ExternalSecret\nspec: {secretStoreRef: {name: STORE}, data: [{remoteRef: {key: KEY}}]}\n"
    texts = [secret.replace("STORE", store).replace("KEY", key) for store, key in (("a", "A"), ("b", "B"), ("c", "C"))]
    stores = [
        "kind: ClusterSecretStore\nmetadata: {name: a}\nspec: {provider: {doppler: {}}}\n",
        "kind: SecretStore\nmetadata: {name: b}\nspec: {provider: {vault: {}}}\n",
    ]
    assert read(*texts, *stores).keys == {"a": ("A",), "c": ("C",)}


def test_host_names_come_from_routes_and_ingresses() -> None:
    route = "kind: HTTPRoute\nspec: {hostnames: [a.example.com, '*.example.com']}\n"
    ingress = "kind: Ingress\nspec: {rules: [{host: b.example.com}, {host: c.example.com}], tls: TLS}\n"
    ingress = ingress.replace("TLS", "[{hosts: [c.example.com]}]")
    found = read(route, ingress, route)
    assert found.hosts == ("a.example.com", "b.example.com", "c.example.com")
    assert found.secured == ("a.example.com", "c.example.com")


def test_an_image_has_the_pull_secrets_of_its_workload_or_its_account() -> None:
    account = "kind: ServiceAccount\nmetadata: {name: robot}\nimagePullSecrets: [{name: of-robot}]\n"
    assert images(pod("a:1"), account) == {"a:1": ()}
    assert images(pod("a:1", "serviceAccountName: robot,"), account) == {"a:1": ("of-robot",)}
    own = "serviceAccountName: robot, imagePullSecrets: [{name: own}],"
    assert images(pod("a:1", own), account) == {"a:1": ("own",)}


def test_a_kustomization_changes_what_is_deployed() -> None:
    secret = "imagePullSecrets: [{name: s}],"
    override = "resources: [0.yaml, 1.yaml]\nimages: [{name: a, newName: b.example.com/a, newTag: '2'}]\n"
    assert images(pod("a:1", secret), pod("c:1").replace("web", "x"), Kustomization=override) == {
        "b.example.com/a:2": ("s",),
        "c:1": (),
    }
    digest = "sha256:" + "0" * 64
    entry = f"resources: [0.yaml]\nimages: [{{name: a, digest: '{digest}'}}]\n"
    assert images(pod("a:1"), Kustomization=entry) == {f"a@{digest}": ()}


def test_the_outermost_kustomization_decides_which_image_is_needed() -> None:
    texts = {
        "base/pod.yaml": pod("a:1"),
        "base/kustomization.yaml": "resources: [pod.yaml]\nimages: [{name: a, newTag: '2'}]\n",
        "top/kustomization.yaml": "resources: [../base]\nimages: [{name: a, newTag: '3'}]\n",
    }
    assert [str(image) for image in read_files(texts).images] == ["a:3"]


def test_what_a_kustomization_at_the_path_leaves_out_needs_nothing() -> None:
    assert images(pod("a:1"), pod("b:1"), Kustomization="resources: [1.yaml]\n") == {"b:1": ()}


def test_a_placeholder_is_no_image() -> None:
    assert images(pod("a:${TAG}"), pod("a:IMAGE_TAG")) == {}


def test_an_image_that_readers_disagree_about_is_not_asked_for() -> None:
    assert images("kind: Pod\nspec: {containers: [{image: 'a:1', image: 'a:2'}]}\n", pod("b:1")) == {"b:1": ()}


def test_lists_pods_and_cron_jobs_are_read_too() -> None:
    job = "kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{image: 'a:1'}]}}}}}\n"
    items = "kind: List\nitems: [{kind: Pod, spec: {initContainers: [{image: 'b:1'}], containers: [{image: 'c:1'}]}}]\n"
    assert list(images(job, items)) == ["a:1", "b:1", "c:1"]


def test_directories_come_from_storage_classes_volumes_and_pods() -> None:
    csi = "kind: PersistentVolume\nspec: {csi: {driver: nfs.csi.k8s.io, volumeAttributes: SHARE}}\n"
    csi = csi.replace("SHARE", "{server: s, share: /a, subDir: b}")
    plain = "kind: PersistentVolume\nspec: {nfs: {server: s, path: /c}}\n"
    direct = pod("a:1", "volumes: [{nfs: {server: t, path: /d}}, {emptyDir: {}}],")
    assert read(csi, plain, direct).directories == {"s": ("/a/b", "/c"), "t": ("/d",)}
    found = read(CLASS.replace("SUB", "x/${pvc.metadata.name}")).directories
    assert found == {"nfs.example.com": ("/srv/x/data", "/srv/x/pg-db-0")}


def test_what_only_the_cluster_knows_ends_a_path_before_it() -> None:
    assert read(CLASS.replace("SUB", "x/${pv.metadata.name}")).directories == {"nfs.example.com": ("/srv/x",)}
    assert read(CLASS.replace("SUB", "${pv.metadata.name}")).directories == {"nfs.example.com": ("/srv",)}


def test_what_is_no_yaml_is_named_and_the_rest_is_read() -> None:
    found = read("a: [", pod("a:1"), "date: 2024-99-99\n", "{{ if .Values }}\n", "- 1\n", "")
    assert found.unread == ("0.yaml", "3.yaml")  # what is no date in 2.yaml is text, for Kubernetes as well
    assert len(found.images) == 1


def test_documents_of_any_shape_are_survived() -> None:
    odd = ["kind: ExternalSecret\nspec: []\n", "kind: Ingress\nspec: {rules: 1, tls: [1]}\n", "images: [1]\n"]
    odd += ["kind: Deployment\nspec: {template: {spec: {containers: [1, {image: 2}]}}}\n", "items: [1, [2], null]\n"]
    odd += ["kind: SecretStore\nspec: {provider: null}\n", "kind: PersistentVolume\nspec: {nfs: {server: 1}}\n"]
    assert read(*odd) == Needs()
