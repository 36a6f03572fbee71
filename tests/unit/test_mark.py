from __future__ import annotations

import codecs
import subprocess
import sys

import pytest

from orbit_release.errors import InvalidError
from orbit_release.image import Repository
from orbit_release.manifests.mark import valid_reason
from orbit_release.manifests.marking import MarkEdit, Unplaced
from orbit_release.manifests.texts.proof import prove
from orbit_release.manifests.texts.written import Text
from tests.alone import Marked, find_images, mark

API = Repository("ghcr.io/acme/api")
OTHER = Repository("ghcr.io/acme/other")
DIGEST = "sha256:" + "a" * 64
POD = "kind: Pod\nspec:\n  containers:\n  - name: api\n"
KUSTOMIZATION = "images:\n- name: ghcr.io/acme/api\n"


def run(text: str, what: str | None = "why", path: str = "k8s/api.yaml") -> Marked:
    return mark(text.encode(), path, {API: what})


def marked(text: str, what: str | None = "why") -> str:
    return run(text, what).data.decode()


def read(text: str) -> list[str | None]:
    return [image.mark for image in find_images(text.encode(), "p", [API])]


def refusal(text: str, marks: dict[Repository, str | None]) -> str:
    with pytest.raises(InvalidError) as caught:
        mark(text.encode(), "p", marks)
    assert caught.value.hint
    return caught.value.message


IMAGE = "image: ghcr.io/acme/api:v1"
# Without a mark, and with it.
PLACES = {
    "plain": (f"{IMAGE}", f"{IMAGE} # held: why"),
    "trailing blanks": (f"{IMAGE} \t ", f"{IMAGE} # held: why \t "),
    "comment": (f"{IMAGE} # pinned", f"{IMAGE} # pinned # held: why"),
    "comment, blanks": (f"{IMAGE}\t#pinned \t", f"{IMAGE}\t#pinned # held: why \t"),
    "empty comment": (f"{IMAGE} # ", f"{IMAGE} # # held: why "),
    "comment with quotes": (f"{IMAGE} # it's \"x", f"{IMAGE} # it's \"x # held: why"),
    "comment that is no mark": (f"{IMAGE} # not held", f"{IMAGE} # not held # held: why"),
    "no-break space": (f"{IMAGE} # x\u00a0", f"{IMAGE} # x\u00a0 # held: why"),
    "single quotes": ("image: 'ghcr.io/acme/api:v1'", "image: 'ghcr.io/acme/api:v1' # held: why"),
    "double quotes": ('image: "ghcr.io/acme/api:v1" ', 'image: "ghcr.io/acme/api:v1" # held: why '),
    "escapes": (r'image: "\x67hcr.io\/acme/api:v1"', r'image: "\x67hcr.io\/acme/api:v1" # held: why'),
    "continued": ('image: "ghcr.io/ac\\\n     me/api:v1"', 'image: "ghcr.io/ac\\\n     me/api:v1" # held: why'),
    "own line": ("image: # x\n      ghcr.io/acme/api:v1", "image: # x\n      ghcr.io/acme/api:v1 # held: why"),
    "tag, anchor": ("image: &a !!str ghcr.io/acme/api", "image: &a !!str ghcr.io/acme/api # held: why"),
    "explicit key": ("? image\n    : ghcr.io/acme/api:v1", "? image\n    : ghcr.io/acme/api:v1 # held: why"),
    "tab": ("image:\tghcr.io/acme/api:v1", "image:\tghcr.io/acme/api:v1 # held: why"),
    "next line (NEL)": (f"{IMAGE}\x85    a: b", f"{IMAGE} # held: why\x85    a: b"),
    "astral": (f'a: "🚀é"\n    {IMAGE} # 🚀', f'a: "🚀é"\n    {IMAGE} # 🚀 # held: why'),
    "end of a flow's line": (f"<<: {{{IMAGE}\n      }}", f"<<: {{{IMAGE} # held: why\n      }}"),
    "anchor": (f"{IMAGE}".replace(" ", " &i "), f"{IMAGE} # held: why".replace(" g", " &i g")),
}


@pytest.mark.parametrize(("without", "with_"), PLACES.values(), ids=PLACES)
def test_a_mark_stands_behind_the_value_and_its_comment_and_goes_without_a_trace(without: str, with_: str) -> None:
    for end in ("", "\n", "\n\n    # held: elsewhere\n", "\n...\n", "\n---\nkind: Service # x\n"):
        before, after = (f"{POD}    {body}{end}" for body in (without, with_))
        assert marked(before) == after
        assert read(after) == ["why"]
        assert marked(after, None) == before


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_line_ends_and_encodings_stay(bom: bytes, encoding: str, end: str) -> None:
    without, with_ = (
        bom + f"# é🚀\n{POD}    {IMAGE}{text} \n# x".replace("\n", end).encode(encoding)
        for text in ("", " # held: ü 🚀")
    )
    edit = MarkEdit("p", 6, API, None, "ü 🚀")
    assert mark(without, "p", {API: "ü 🚀"}) == Marked(with_, (edit,))
    assert mark(with_, "p", {API: None}) == Marked(without, (MarkEdit("p", 6, API, "ü 🚀", None),))


KUSTOMIZE = {
    "tag": ("  newTag: v1\n", "  newTag: v1 # held: why\n"),
    "digest": (f"  digest: {DIGEST}\n", f"  digest: {DIGEST} # held: why\n"),
    "both": (f"  digest: {DIGEST}\n  newTag: 'v1' # x\n", f"  digest: {DIGEST}\n  newTag: 'v1' # x # held: why\n"),
    "empty": ("  newTag:\n  a: b\n", "  newTag: # held: why\n  a: b\n"),
    "empty, comment": ("  newTag:  # x\n", "  newTag:  # x # held: why\n"),
    "null": ("  newTag: ~", "  newTag: ~ # held: why"),
}


@pytest.mark.parametrize(("without", "with_"), KUSTOMIZE.values(), ids=KUSTOMIZE)
def test_a_kustomizations_mark_stands_beside_the_tag_or_else_the_digest(without: str, with_: str) -> None:
    assert marked(KUSTOMIZATION + without) == KUSTOMIZATION + with_
    assert read(KUSTOMIZATION + with_) == ["why"]
    assert marked(KUSTOMIZATION + with_, None) == KUSTOMIZATION + without


# Where MARK stands: what a person wrote there, and what takes its place.
WRITTEN = {
    "spacing": (POD + f"    {IMAGE}MARK  \r\n", "\t #\tHELD:x y", "\t # held: new"),
    "no blank": (POD + f"    {IMAGE}MARK", " #held:x", " # held: new"),
    "empty": (POD + f"    {IMAGE}MARK  \n", " # held:", " # held: new"),
    "comment before": (POD + f"    {IMAGE} # pinnedMARK\n", "  # held: x", "  # held: new"),
    "comment behind": (POD + f"    {IMAGE}MARK\n", " # held: x # held: y # z", " # held: new"),
    "no-break space": (POD + f"    {IMAGE}MARK \n", " # held: x\u00a0", " # held: new"),
    "let go": (POD + f"    {IMAGE}MARK\n", " # held: no", " # held: new"),
    "literal": (POD + "    image: |-MARK\n      ghcr.io/acme/api:v1\n", "  # held: x", "  # held: new"),
    "folded": (POD + "    image: !!str > # cMARK\n      ghcr.io/acme/api:v1\n", " # held: x", " # held: new"),
    "alias": (f"x: &i {API}:v1\n{POD}    image: *iMARK\n", " # held: x", " # held: new"),
    "alias in a flow": (f"x: &i {API}:v1\n{POD}  - {{image: *i}}MARK\n", "\t# held: x", "\t# held: new"),
    "flow": (f"images: [{{newTag: v1, name: {API}}}]MARK\n", " # held: x", " # held: new"),
    "flow, quotes": (f"images: [{{newTag: v1, name: {API}, x: ' # held: q'}}]MARK", " # held: x", " # held: new"),
    "name": (f"images:\n- name: {API}MARK\n  newTag: v1\n", " # held: x", " # held: new"),
}


@pytest.mark.parametrize(("text", "written", "new"), WRITTEN.values(), ids=WRITTEN)
def test_a_mark_written_by_hand_is_removed_or_replaced_where_it_stands(text: str, written: str, new: str) -> None:
    before = text.replace("MARK", written)
    assert marked(before, None) == text.replace("MARK", "")
    assert marked(before, "new") == text.replace("MARK", new)
    assert (read(marked(before, None)), read(marked(before, "new"))) == ([None], ["new"])


def test_all_marks_that_would_count_are_removed() -> None:
    text = (
        f"x: &t v1 # held: a\nimages:\n- newTag: *t # held: b\n  digest: {DIGEST} # held: c\n  name: {API} # held: d\n"
    )
    assert read(text) == ["a"]
    assert marked(text, "new") == text.replace("held: a", "held: new")
    assert marked(text, None) == "".join(line.partition(" # held")[0] + "\n" for line in text.splitlines())


def test_what_says_so_already_is_left_alone() -> None:
    for text in (POD + f"    {IMAGE}  #held:why \n", f"images: [{{newTag: v1, name: {API}}}] # held: why\n"):
        data = text.encode()
        assert mark(data, "p", {API: "why"}) == Marked(data)
        assert mark(data, "p", {API: "why"}).data is data
    assert run(POD + f"    {IMAGE}\n", None) == Marked((POD + f"    {IMAGE}\n").encode())


@pytest.mark.parametrize(
    "text",
    [
        POD + "    image: ghcr.io/acme/api-proxy:v1\n",
        POD + "    args: [ghcr.io/acme/api:v1] # held: x\n",
        "# ghcr.io/acme/api:v1 # held: x\n",
        "{{ if }}\n",
        "",
    ],
)
def test_everything_else_is_left_alone(text: str) -> None:
    assert run(text) == run(text, None) == Marked(text.encode())
    assert mark(text.encode(), "p", {}) == Marked(text.encode())


@pytest.mark.parametrize(
    ("text", "line", "obstacle"),
    [
        (POD + "    image: |\n      ghcr.io/acme/api:v1\n", 6, "the value is a block (|)"),
        (POD + "    image: >- # x\n      ghcr.io/acme/api:v1\n", 6, "the value is a block (>)"),
        (POD + "  - {image: ghcr.io/acme/api:v1}\n", 5, "more follows on its line"),
        (POD + "  - {image: ghcr.io/acme/api:v1,\n    a: b}\n", 5, "more follows on its line"),
        (POD + "  - {image: ghcr.io/acme/api:v1 , # x\n    a: b}\n", 5, "more follows on its line"),
        (f"images: [{{name: {API}, newTag: v1}}] # x\n", 1, "more follows on its line"),
        (f"&i {API}:v1 : x\n" + POD + "    image: *i\n", 1, "more follows on its line"),
    ],
)
def test_where_no_comment_can_stand_is_told(text: str, line: int, obstacle: str) -> None:
    told = f"k8s/api.yaml:{line}: no comment can stand beside {API}:v1: {obstacle}"
    assert run(text) == Marked(text.encode(), unplaced=(Unplaced(API, told),))
    assert run(text, None) == Marked(text.encode())


def test_the_other_places_are_marked_all_the_same_and_in_order() -> None:
    text = (
        POD + f"    {IMAGE}\n  - {{{IMAGE}}}\n  initContainers:\n  - image: {OTHER}\n---\n{KUSTOMIZATION}  newTag: v2\n"
    )
    done = mark(text.encode(), "p", {API: "a", OTHER: "no"})
    after = text.replace(f"    {IMAGE}\n", f"    {IMAGE} # held: a\n").replace(f"{OTHER}\n", f"{OTHER} # held: no\n")
    assert done.data.decode() == after.replace("v2\n", "v2 # held: a\n")
    assert [(edit.line, edit.repository, edit.before, edit.after) for edit in done.edits] == [
        (5, API, None, "a"),
        (8, OTHER, None, "no"),
        (12, API, None, "a"),
    ]
    told = f"p:6: no comment can stand beside {API}:v1: more follows on its line"
    assert done.unplaced == (Unplaced(API, told),)
    undone = mark(done.data, "p", {API: None, OTHER: None})
    assert (undone.data, undone.unplaced, len(undone.edits)) == (text.encode(), (), 3)


def test_one_scalar_that_stands_for_several_images_gets_one_comment() -> None:
    text = f"x: &i {API}:v1\n{POD}    image: *i\n  - image: *i\n"
    assert run(text).edits == (MarkEdit("k8s/api.yaml", 1, API, None, "why"),)
    assert marked(text) == text.replace(":v1\n", ":v1 # held: why\n")
    entries = (
        f"images:\n- {{name: {API}, newTag: &t v1\n  }}\n" + f"- {{name: {API}, newTag: *t, digest: '{DIGEST}'}}\n"
    )
    assert run(entries).edits == (MarkEdit("k8s/api.yaml", 2, API, None, "why"),)
    assert marked(entries) == entries.replace("v1\n", "v1 # held: why\n")


SHARED_TAG = f"images:\n- name: {API}\n  newTag: &t v1\n- name: {OTHER}\n  newTag: *t\n"
SHARED_LINE = f"kind: Pod\nspec:\n  containers: [{{image: '{OTHER}'}}, {{image: {API}\n    }}]\n"


@pytest.mark.parametrize(
    ("text", "place", "line"), [(SHARED_TAG, "&t v1", 3), (SHARED_LINE, f"image: {API}", 3)], ids=["tag", "line"]
)
def test_what_another_image_shares_is_marked_with_a_warning(text: str, place: str, line: int) -> None:
    done = run(text)
    assert done.data.decode() == text.replace(place, f"{place} # held: why")
    assert done.warnings == (f"k8s/api.yaml:{line}: this holds {OTHER} as well",)
    undone = run(done.data.decode(), None)
    assert (undone.data.decode(), undone.warnings) == (text, (f"k8s/api.yaml:{line}: this lets go of {OTHER} as well",))
    assert run(done.data.decode(), "no").warnings == undone.warnings
    both = mark(text.encode(), "p", {API: "why", OTHER: "why"})
    assert (both.data, both.unplaced, both.warnings) == (done.data, (), ())


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        (SHARED_TAG, {API: "a", OTHER: "b"}),
        (SHARED_TAG, {API: "a", OTHER: None}),
        (SHARED_TAG.replace("v1", "v1 # held: x"), {API: None, OTHER: "b"}),
        (SHARED_LINE, {API: "a", OTHER: None}),
        (SHARED_LINE.replace("\n    }", "}").replace("]", "] # held: x"), {API: "a", OTHER: "b"}),
    ],
)
def test_one_comment_cannot_be_two_marks(text: str, marks: dict[Repository, str | None]) -> None:
    assert refusal(text, marks) == "p:3: one comment would have to be two marks"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (POD + f"    {IMAGE}\n    image: x\n", "p:6: repeated key 'image'"),
        (POD + f"    {IMAGE}\n{{{{ end }}}}\n", "p:7: not valid YAML"),
        (f"note: two\n \t lines\n{POD}    {IMAGE}\n", "p:7: cannot prove that only the comments would change"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused_with_its_line(text: str, message: str) -> None:
    assert refusal(text, {API: "why"}).startswith(message)


def test_a_fault_in_another_image_is_no_obstacle() -> None:
    text = POD + f"    {IMAGE}\n  - image: {OTHER}\n    image: x\n"
    assert marked(text) == text.replace(":v1", ":v1 # held: why")


@pytest.mark.parametrize(
    "after", ["a: v1\nb: v1#x\n", "a: v2 # x\nb: v1\n", "a: v1 # x\n", "a: v1#\nb: v1\n", "a: [v1\n"]
)
def test_the_proof_refuses_all_but_comments(after: str) -> None:
    before = "a: v1\nb: v1\n"
    prove(Text("p", before), "a: v1 # x\nb: v1\n", [])
    with pytest.raises(InvalidError, match=r"p:\d: cannot prove that only the comments"):
        prove(Text("p", before), after, [])


@pytest.mark.parametrize("text", ["crash loop", 'it\'s #1: "x" # held: no', "nö 🚀", "no.", "none", "}", "*i"])
def test_a_reason_is_one_line(text: str) -> None:
    assert valid_reason(text) == valid_reason(f" {text}\n") == text
    assert read(marked(POD + f"    {IMAGE}\n", text)) == [text]


@pytest.mark.parametrize(
    "text", ["", "  ", "a\nb", "a\tb", "a\x85b", "a\u2028b", "\x1b[2J", "a\u202eb", "\ufeff", "\udc80", "\uffff"]
)
def test_what_is_not_one_line_is_no_reason(text: str) -> None:
    for check in (lambda: valid_reason(text), lambda: mark(b"", "p", {API: text})):
        with pytest.raises(InvalidError, match="is not one line of printable text") as caught:
            check()
        assert caught.value.hint


@pytest.mark.parametrize("text", ["no", "NO", " No "])
def test_no_is_a_mark_of_its_own_and_no_reason(text: str) -> None:
    with pytest.raises(InvalidError, match="lets go of a service"):
        valid_reason(text)
    assert [one.hold for one in find_images(run(POD + f"    {IMAGE}\n", text.strip()).data, "p", [API])] == [None]


def test_importing_it_imports_no_second_parser() -> None:
    program = "import sys, orbit_release.manifests.mark; assert not [n for n in sys.modules if 'ruamel' in n]"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
