"""Trees of overlays, made by chance: what `kubectl kustomize` makes of them holds for ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

REPOSITORIES = (
    "acme/api",
    "acme/api-proxy",
    "ghcr.io/acme/web",
    "localhost:5000/acme/db",
    "nginx",
    "registry.example.com:443/a/b",
)
DIGESTS = tuple(f"sha256:{digit * 64}" for digit in "0af")
TAGS = ("v1", "v2", "1.2.3", "sha-0123abc", "latest", "12", "1.10", "main_x", "CONTAINER_TAG")
API_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "CronJob": "batch/v1",
    "Job": "batch/v1",
    "Pod": "v1",
    "Rollout": "argoproj.io/v1alpha1",
    "CloneSet": "apps.kruise.io/v1alpha1",
    "Service": "v1",
    "Namespace": "v1",
}
SCALED = ("Deployment", "StatefulSet")
PODS = {"CronJob": ("spec", "jobTemplate", "spec", "template", "spec"), "Pod": ("spec",)}
TEMPLATE = ("spec", "template", "spec")


@dataclass(slots=True)
class Made:
    """An object that was made: its containers by the list they are in; `files` is where it may be patched."""

    kind: str
    name: str
    namespace: str
    containers: dict[str, list[str]]

    @property
    def pod(self) -> tuple[str, ...]:
        return PODS.get(self.kind, TEMPLATE)


@dataclass(slots=True)
class Tree:
    """Files by path; `entry` is the folder that is rendered."""

    chance: Random
    files: dict[str, str] = field(default_factory=dict)
    entry: str = ""
    count: int = 0

    def is_so(self, share: float) -> bool:
        return self.chance.random() < share

    def number(self) -> int:
        self.count += 1
        return self.count


def made_tree(seed: int) -> Tree:
    """Make a tree; the same seed makes the same one."""
    tree = Tree(Random(seed))  # noqa: S311 - no secret is made of it
    shape = tree.chance.choice(("chain", "chain", "chain", "shared", "flat"))
    if shape == "flat":
        layer(tree, "app", [], [])
        tree.entry = "app"
        return tree
    below, objects = base(tree, "base")
    folder = "base"
    if shape == "chain":
        for level in range(tree.chance.randint(1, 3)):
            folder, below = f"overlays/{level}", folder
            objects = layer(tree, folder, [relative(folder, below)], objects)
    else:
        twins = []
        for name in ("one", "two"):
            twin = layer(tree, f"overlays/{name}", ["../../base"], list(objects), prefix=f"{name}-")
            twins += [Made(made.kind, made.name, made.namespace, made.containers) for made in twin]
        folder = "all"
        layer(tree, folder, ["../overlays/one", "../overlays/two"], twins)
    tree.entry = folder
    return tree


def relative(folder: str, target: str) -> str:
    return "../" * (folder.count("/") + 1) + target


def base(tree: Tree, folder: str) -> tuple[str, list[Made]]:
    return folder, layer(tree, folder, [], [], prefix="")


def layer(tree: Tree, folder: str, includes: list[str], below: list[Made], prefix: str | None = None) -> list[Made]:
    """Write a kustomization and what it needs; return the objects that it has."""
    lines: list[str] = []
    resources, objects = list(includes), list(below)
    if not includes or tree.is_so(0.3):
        for _ in range(tree.chance.randint(1, 2)):
            name, made = resource_file(tree, folder)
            resources.append(name)
            objects += made
    old_word = includes and tree.is_so(0.1)
    if old_word:
        lines.append(f"bases: [{', '.join(includes)}]")
        resources = resources[len(includes) :]
    if resources:
        lines.append("resources:\n" + "".join(f"- {name}\n" for name in resources).rstrip())
    if tree.is_so(0.25):
        lines.append(f"components: [{component(tree, folder, objects)}]")
    lines += strategic(tree, folder, objects, 0.5)
    lines += patches(tree, folder, objects)
    lines += names(tree, objects, prefix)
    lines += images(tree, 0.7)
    lines += replicas(tree, objects)
    lines += transformers(tree, folder, objects)
    write_kustomization(tree, folder, lines, "")
    return objects


def write_kustomization(tree: Tree, folder: str, lines: list[str], head: str) -> None:
    name = tree.chance.choice(("kustomization.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization"))
    tree.chance.shuffle(lines)
    tree.files[f"{folder}/{name}"] = head + "\n".join(lines) + "\n"


def resource_file(tree: Tree, folder: str) -> tuple[str, list[Made]]:
    documents, objects = [], []
    for _ in range(tree.chance.randint(1, 3)):
        kind = tree.chance.choice([*API_VERSIONS])
        made = Made(kind, f"o{tree.number()}", tree.chance.choice(("", "", "", "shop")), {})
        if kind == "Namespace":
            made.namespace = ""
        documents.append(object_text(tree, made))
        objects.append(made)
    name = f"r{tree.number()}.yaml"
    if tree.is_so(0.1):
        items = "".join(f"- {indented(text, 2).lstrip()}" for text in documents)
        tree.files[f"{folder}/{name}"] = f"apiVersion: v1\nkind: List\nitems:\n{items}"
    else:
        tree.files[f"{folder}/{name}"] = "---\n".join(documents)
    return name, objects


def indented(text: str, by: int) -> str:
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


def object_text(tree: Tree, made: Made) -> str:
    metadata = f"  name: {made.name}\n"
    metadata += f"  namespace: {made.namespace}\n" if made.namespace else ""
    if tree.is_so(0.3):
        metadata += f"  labels: {{app: {tree.chance.choice('abc')}}}\n"
    head = f"apiVersion: {API_VERSIONS[made.kind]}\nkind: {made.kind}\nmetadata:\n{metadata}"
    if made.kind in ("Service", "Namespace"):
        return head
    body = ""
    for key in ("initContainers", "containers"):
        if key == "containers" or tree.is_so(0.3):
            made.containers[key] = [f"c{number}" for number in range(tree.chance.randint(1, 3))]
            items = "".join(container(tree, name) for name in made.containers[key])
            body += f"{key}:\n{items}"
    if tree.is_so(0.1):
        body += "ephemeralContainers:\n" + container(tree, "debug")
    replicas = "  replicas: 0\n" if made.kind in SCALED and tree.is_so(0.2) else ""
    return head + nested(made.pod, body).replace("spec:\n", "spec:\n" + replicas, 1)


def nested(path: tuple[str, ...], body: str) -> str:
    text = "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(path))
    return text + indented(body, 2 * len(path))


def container(tree: Tree, name: str, reference: str | None = None) -> str:
    reference = reference or image(tree)
    style = tree.chance.randrange(5)
    if style == 0:
        return f"- {{name: {name}, image: '{reference}'}}\n"
    if style == 1:
        return f'- image: "{reference}" # {reference.partition("@")[0][:4]}\n  name: {name}\n'
    if style == 2:
        return f"- name: {name}\n  env:\n  - {{name: A, value: b}}\n  image: {reference}\n"
    return f"- name: {name}\n  image: {reference}\n"


def image(tree: Tree) -> str:
    repository = tree.chance.choice(REPOSITORIES)
    ending = tree.chance.choice((":", ":", ":", ":", "@", ":@", ""))
    tag = f":{tree.chance.choice(TAGS)}" if ":" in ending else ""
    return repository + tag + (f"@{tree.chance.choice(DIGESTS)}" if "@" in ending else "")


def images(tree: Tree, share: float, key: str = "images") -> list[str]:
    if not tree.is_so(share):
        return []
    key = "imageTags" if tree.is_so(0.05) else key
    return [f"{key}:\n" + "".join(f"- {entry(tree)}\n" for _ in range(tree.chance.randint(1, 4))).rstrip()]


def entry(tree: Tree, indent: str = "  ") -> str:
    tag = f":{tree.chance.choice(TAGS)}" if tree.is_so(0.05) else ""
    parts = [f"name: {tree.chance.choice(REPOSITORIES)}{tag}"]
    if tree.is_so(0.4):
        new = tree.chance.choice(REPOSITORIES)
        tag = f":{tree.chance.choice(TAGS)}" if tree.is_so(0.15) else ""
        parts.append(f"newName: {new}{tag}")
    if tree.is_so(0.6):
        digest = f"@{tree.chance.choice(DIGESTS)}" if tree.is_so(0.15) else ""
        quote = tree.chance.choice(("'", '"', '"', ""))
        tag = tree.chance.choice(TAGS)
        quote = quote or ("'" if tag[0].isdigit() and tree.is_so(0.98) else "")
        parts.append(f"newTag: {quote}{tag}{digest}{quote}")
    if tree.is_so(0.15):
        parts.append(f"digest: {tree.chance.choice(DIGESTS)}")
    if tree.is_so(0.02):
        parts.append("tagSuffix: -x")
    tree.chance.shuffle(parts)
    if tree.is_so(0.3):
        return "{" + ", ".join(parts) + "}"
    return f"\n{indent}".join(parts)


def names(tree: Tree, objects: list[Made], prefix: str | None) -> list[str]:
    lines = []
    if prefix or (prefix is None and tree.is_so(0.25)):
        prefix = prefix or "pre-"
        lines.append(f"namePrefix: {prefix}")
    if tree.is_so(0.15):
        lines.append("nameSuffix: -suf")
    if tree.is_so(0.25):
        lines.append(f"namespace: {tree.chance.choice(('shop', 'prod'))}")
    if tree.is_so(0.1):
        lines.append("commonLabels: {team: x}")
    if tree.is_so(0.1):
        lines.append("labels: [{pairs: {tier: back}}]")
    if tree.is_so(0.1):
        lines.append("commonAnnotations: {owner: me, b/c: 'yes'}")
    return lines


def replicas(tree: Tree, objects: list[Made]) -> list[str]:
    scaled = [made for made in objects if made.kind in SCALED]
    if not scaled or not tree.is_so(0.2):
        return []
    return [f"replicas: [{{name: {tree.chance.choice(scaled).name}, count: {tree.chance.randint(0, 2)}}}]"]


def workloads(objects: list[Made]) -> list[Made]:
    return [made for made in objects if made.containers]


def merge_patch(tree: Tree, made: Made) -> str:
    metadata = f"  name: {made.name}\n" + (f"  namespace: {made.namespace}\n" if made.namespace else "")
    head = f"apiVersion: {API_VERSIONS[made.kind]}\nkind: {made.kind}\nmetadata:\n{metadata}"
    if tree.is_so(0.04):
        return head + "$patch: delete\n"
    if tree.is_so(0.1):
        return head + "  labels: {app: d}\nspec: {replicas: 0}\n"
    key = tree.chance.choice([*made.containers])
    known = made.containers[key]
    names_ = dict.fromkeys(tree.chance.choice([*known, f"new{tree.count}"]) for _ in range(2))
    items = [patch_item(tree, name) for name in names_]
    directive = "- $patch: replace\n" if tree.is_so(0.08) else ""
    return head + nested(made.pod, f"{key}:\n{directive}" + "".join(items))


def patch_item(tree: Tree, name: str) -> str:
    what = tree.chance.random()
    if what < 0.08:
        return f"- name: {name}\n  $patch: delete\n"
    if what < 0.12:
        return f"- name: {name}\n  $patch: replace\n  image: {image(tree)}\n"
    if what < 0.16:
        return f"- name: {name}\n  image: null\n"
    if what < 0.3:
        return f"- name: {name}\n  env: [{{name: B, value: c}}]\n"
    return container(tree, name)


def json_patch(tree: Tree, made: Made) -> str:
    pod = "/" + "/".join(made.pod)
    key = tree.chance.choice([*made.containers])
    count = len(made.containers[key])
    operations = []
    for _ in range(tree.chance.randint(1, 2)):
        at = tree.chance.randrange(count) if tree.is_so(0.97) else 7
        operations.append(
            tree.chance.choice(
                (
                    f"- op: replace\n  path: {pod}/{key}/{at}/image\n  value: {image(tree)}\n",
                    f"- op: replace\n  path: {pod}/{key}/{at}/image\n  value: {image(tree)}\n",
                    f"- op: add\n  path: {pod}/{key}/{at}/image\n  value: '{image(tree)}'\n",
                    f"- {{op: add, path: {pod}/{key}/-, value: {{name: j{tree.number()}, image: '{image(tree)}'}}}}\n",
                    added(tree, f"{pod}/{key}/0"),
                    f"- op: copy\n  from: {pod}/{key}/{at}/image\n  path: {pod}/{key}/0/image\n",
                    "- op: add\n  path: /metadata/annotations\n  value: {a~1b: c}\n",
                    f"- op: move\n  from: {pod}/{key}/{at}\n  path: {pod}/{key}/-\n" if count > 1 else "",
                    f"- op: remove\n  path: {pod}/{key}/{at}\n" if count > 1 and tree.is_so(0.5) else "",
                    f"- op: test\n  path: {pod}/{key}/{at}/name\n  value: c{at}\n",
                )
            )
        )
    text = "".join(operations)
    return text or f"- op: add\n  path: {pod}/{key}/0/image\n  value: {image(tree)}\n"


def added(tree: Tree, path: str) -> str:
    return f"- op: add\n  path: {path}\n  value:\n    name: k{tree.number()}\n    image: {image(tree)}\n"


def target(tree: Tree, made: Made) -> str:
    choices = (
        f"{{kind: {made.kind}, name: {made.name}}}",
        f"{{kind: {made.kind}, name: {made.name}}}",
        f"{{name: {made.name}}}",
        f"{{kind: {made.kind}}}",
        f"{{group: {API_VERSIONS[made.kind].rpartition('/')[0] or 'x'}, version: v1, kind: {made.kind}}}",
        "{name: 'o.*', kind: Deployment|StatefulSet}",
        f"{{kind: {made.kind}, labelSelector: app=a}}",
        "{labelSelector: 'app in (a, b), !team', kind: Deployment}",
        "{kind: Nothing}",
        "{annotationSelector: owner=me, kind: Deployment|CronJob}",
        "{labelSelector: 'tier', kind: Deployment|Pod}",
        f"{{namespace: {tree.chance.choice(('shop', 'prod', 'default'))}, kind: {made.kind}}}",
        f"{{kind: {made.kind}, name: pre-.*}}",
        f"{{kind: {made.kind}, name: {made.name}.*}}",
    )
    return tree.chance.choice(choices)


def strategic(tree: Tree, folder: str, objects: list[Made], share: float) -> list[str]:
    made = workloads(objects)
    if not made or not tree.is_so(share * 0.3):
        return []
    text = merge_patch(tree, tree.chance.choice(made))
    if tree.is_so(0.3):
        return ["patchesStrategicMerge:\n- |-\n" + indented(text, 2).rstrip()]
    name = f"s{tree.number()}.yaml"
    tree.files[f"{folder}/{name}"] = text
    return [f"patchesStrategicMerge: [{name}]"]


def patches(tree: Tree, folder: str, objects: list[Made]) -> list[str]:
    made = workloads(objects)
    lines = []
    if made and tree.is_so(0.55):
        entries = [patch(tree, folder, made) for _ in range(tree.chance.randint(1, 3))]
        lines.append("patches:\n" + "".join(entries).rstrip())
    if made and tree.is_so(0.1):
        one = tree.chance.choice(made)
        aim = f"{{kind: {one.kind}, name: {one.name}, version: v1}}"
        text = indented(json_patch(tree, one), 4)
        lines.append(f"patchesJson6902:\n- target: {aim}\n  patch: |-\n{text}".rstrip())
    return lines


def patch(tree: Tree, folder: str, made: list[Made]) -> str:
    one = tree.chance.choice(made)
    is_json = tree.is_so(0.45)
    text = json_patch(tree, one) if is_json else merge_patch(tree, one)
    if not is_json and tree.is_so(0.06):
        made[made.index(one)] = Made(one.kind, f"n{one.name}", one.namespace, one.containers)
        text = text.replace(f"name: {one.name}\n", f"name: n{one.name}\n", 1)
        options = "  options: {allowNameChange: true}\n" if tree.is_so(0.8) else ""
        aim = f"  target: {{kind: {one.kind}, name: {one.name}}}\n"
        return f"- patch: |-\n{indented(text, 4)}{aim}{options}"
    aim = f"  target: {target(tree, one)}\n" if is_json or tree.is_so(0.3) else ""
    if not is_json and not aim and tree.is_so(0.2):
        text += "---\n" + merge_patch(tree, tree.chance.choice(made))
    if tree.is_so(0.5):
        return f"- patch: |-\n{indented(text, 4)}{aim}"
    name = f"p{tree.number()}.yaml"
    tree.files[f"{folder}/{name}"] = text
    return f"- path: {name}\n{aim}"


def component(tree: Tree, folder: str, objects: list[Made]) -> str:
    name = f"components/{tree.number()}"
    lines = patches(tree, name, objects) + images(tree, 0.6) + strategic(tree, name, objects, 0.5)
    if tree.is_so(0.2) or not lines:
        own, made = resource_file(tree, name)
        lines.append(f"resources: [{own}]")
        objects += made
    head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
    write_kustomization(tree, name, lines, head)
    return relative(folder, name)


def transformer(tree: Tree, made: list[Made]) -> tuple[str, str]:
    kind = tree.chance.choice(
        ("ImageTag", "ImageTag", "Patch", "Prefix", "Suffix", "PatchStrategicMerge", "PatchJson6902")
    )
    if kind == "Prefix":
        return "PrefixTransformer", "prefix: tr-\nfieldSpecs: [{path: metadata/name}]\n"
    if kind == "Suffix":
        return "SuffixTransformer", "suffix: -tr\nfieldSpecs: [{path: metadata/name}]\n"
    if not made or kind == "ImageTag":
        return "ImageTagTransformer", f"imageTag:\n  {entry(tree)}\n"
    one = tree.chance.choice(made)
    if kind == "PatchJson6902":
        text = indented(json_patch(tree, one), 2)
        return "PatchJson6902Transformer", f"target: {{kind: {one.kind}, name: {one.name}}}\njsonOp: |-\n{text}"
    text = indented(merge_patch(tree, one), 2)
    return f"{kind}Transformer", f"patch: |-\n{text}" if kind == "Patch" else f"patches: |-\n{text}"


def transformers(tree: Tree, folder: str, objects: list[Made]) -> list[str]:
    if not tree.is_so(0.2):
        return []
    texts = []
    for _ in range(tree.chance.randint(1, 2)):
        head = f"apiVersion: builtin\nkind: {{}}\nmetadata: {{name: t{tree.number()}}}\n"
        made = workloads(objects)
        kind, text = transformer(tree, made)
        texts.append(head.replace("{}", kind, 1).replace("name: {}", "") + text)
    if tree.is_so(0.3):
        return ["transformers:\n" + "".join(f"- |-\n{indented(text, 2)}" for text in texts).rstrip()]
    name = f"t{tree.number()}.yaml"
    tree.files[f"{folder}/{name}"] = "---\n".join(texts)
    return [f"transformers: [{name}]"]
