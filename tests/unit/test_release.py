from __future__ import annotations

import codecs
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference, Repository, Tag
from orbit_release.manifests.rewrite import Edit, NewImage
from orbit_release.releases.messages import Notes, Step, steps_of
from orbit_release.releases.release import ChangedManifest, Release, plan_release
from orbit_release.remote_address import web_address
from tests.alone import manifests_of

SOURCE = "https://github.com/acme/shop"
API, WEB = Repository("ghcr.io/acme/api"), Repository("ghcr.io/acme/web")
OLD, NEW = Tag("sha-0aa11bb"), Tag("sha-1a2b3c4")


def message(steps: list[Step], source: str, subject: str = "") -> str:
    return Notes(tuple(steps), source, subject).message()


def manifest(repository: Repository, tag: Tag = OLD, end: str = "\n") -> bytes:
    lines = (
        "apiVersion: v1",
        "kind: Pod",
        "spec:",
        "  containers:",
        "    - name: x",
        f"      image: {repository}:{tag}",
    )
    return ("\n".join(lines) + end).encode()


def test_the_message_of_one_service_names_it_and_links_the_commits() -> None:
    step = Step("bifrost", "sha-0aa11bb", "sha-1a2b3c4", "0aa11bb", "1a2b3c4", 4)
    assert message([step], SOURCE) == (
        "release: bifrost sha-1a2b3c4\n"
        "\n"
        f"bifrost: sha-0aa11bb -> sha-1a2b3c4 (4 commits, {SOURCE}/compare/0aa11bb...1a2b3c4)\n"
        "\n"
        "Orbit-Release: bifrost sha-1a2b3c4\n"
    )


@pytest.mark.parametrize(
    ("tags", "subject"),
    [
        (["sha-1a2b3c4", "sha-1a2b3c4"], "release: 2 services sha-1a2b3c4"),
        (["sha-1a2b3c4", "sha-5d6e7f8"], "release: 2 services"),
        (["sha-1a2b3c4", "sha-5d6e7f8", "v1"], "release: 3 services"),
    ],
)
def test_the_subject_counts_the_services_and_names_the_tag_they_share(tags: list[str], subject: str) -> None:
    steps = [Step(f"s{number}", "latest", tag) for number, tag in enumerate(tags)]
    assert message(steps, "").splitlines()[0] == subject


@pytest.mark.parametrize(
    ("step", "source", "line"),
    [
        (Step("a", "latest", "v1"), SOURCE, "a: latest -> v1"),
        (Step("a", "x", "y", "0", "1", 1), SOURCE, f"a: x -> y (1 commit, {SOURCE}/compare/0...1)"),
        (Step("a", "x", "y", "0", "1", 2), "", "a: x -> y (2 commits)"),
        (Step("a", "x", "y", "0", "1", 0), SOURCE, f"a: x -> y ({SOURCE}/compare/0...1)"),
        (Step("a", "x", "y", "0", "0", 0), SOURCE, "a: x -> y"),
    ],
)
def test_a_line_tells_what_is_known_of_the_way(step: Step, source: str, line: str) -> None:
    assert message([step], source).splitlines()[2] == line


def test_a_subject_of_ones_own_replaces_the_default_and_nothing_else() -> None:
    step = Step("a", "x", "y")
    lines = message([step], "").splitlines()
    assert message([step], "", "Fix the login").splitlines() == ["Fix the login", *lines[1:]]


def test_git_reads_the_trailers(tmp_path: Path) -> None:
    text = message([Step("a", "x", "y"), Step("b", "x", "z")], SOURCE)
    command = ["git", "interpret-trailers", "--parse"]
    shown = subprocess.run(command, input=text.encode(), cwd=tmp_path, capture_output=True, check=True)
    assert shown.stdout == b"Orbit-Release: a y\nOrbit-Release: b z\n"


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/acme/shop", SOURCE),
        ("https://github.com/acme/shop.git", SOURCE),
        ("https://github.com/acme/shop.git/", SOURCE),
        ("http://github.com/acme/shop", SOURCE),
        ("https://github.com:443/acme/shop.git", SOURCE),
        ("git@github.com:acme/shop.git", SOURCE),
        ("github.com:acme/shop", SOURCE),
        ("ssh://git@github.com/acme/shop.git", SOURCE),
        ("ssh://git@github.com:2222/acme/shop.git", SOURCE),
        ("git://github.com/acme/shop.git", SOURCE),
        ("https://x-access-token:secret@github.com/acme/shop.git", SOURCE),
        ("https://secret@github.com/acme/shop", SOURCE),
        ("https://user:sec/ret@github.com/acme/shop", ""),
        ("https://user:s@cret@github.com/acme/shop", SOURCE),
        ("/srv/git/shop.git", ""),
        ("../shop.git", ""),
        ("file:///srv/git/shop.git", ""),
        ("C:\\git\\shop", ""),
        ("", ""),
    ],
)
def test_a_remote_has_a_web_address_unless_it_is_a_path(remote: str, address: str) -> None:
    assert web_address(remote) == address


SECRETS = st.text(st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=1).map("S3CRET{}".format)


@given(st.sampled_from(["https", "http", "ssh", "git"]), SECRETS, st.sampled_from(["", "token:", "a:b:"]))
def test_credentials_never_stay_in_a_web_address(scheme: str, secret: str, user: str) -> None:
    assert "S3CRET" not in web_address(f"{scheme}://{user}{secret}@github.com/acme/shop.git")


def test_a_release_changes_the_manifests_that_name_the_images_and_no_others() -> None:
    files = {
        "api.yaml": manifest(API),
        "web.yaml": manifest(WEB),
        "both.yaml": manifest(API) + b"---\n" + manifest(WEB),
    }
    release = plan_release(manifests_of(files, [API, WEB]), [NewImage(API, NEW)])
    assert release.files == {"api.yaml": manifest(API, NEW), "both.yaml": manifest(API, NEW) + b"---\n" + manifest(WEB)}
    assert [(edit.path, edit.line, str(edit.after)) for edit in release.edits] == [
        ("api.yaml", 6, f"{API}:{NEW}"),
        ("both.yaml", 6, f"{API}:{NEW}"),
    ]


def test_a_release_of_what_is_deployed_is_empty() -> None:
    release = plan_release(manifests_of({"api.yaml": manifest(API)}, [API]), [NewImage(API, OLD)])
    assert (release.edits, release.files, release.diff()) == ((), {}, "")


def test_one_manifest_that_cannot_be_edited_safely_stops_the_whole_release() -> None:
    broken = b"image: [\n  - image: " + str(API).encode() + b":x\n"
    files = {"api.yaml": manifest(API), "broken.yaml": broken, "web.yaml": manifest(WEB)}
    with pytest.raises(InvalidError, match=r"broken\.yaml"):
        plan_release(manifests_of(files, [API, WEB]), [NewImage(WEB, NEW), NewImage(API, NEW)])


def test_a_manifest_that_cannot_be_read_stops_no_other_service() -> None:
    broken = b"image: [\n  - image: " + str(API).encode() + b":x\n"
    manifests = manifests_of({"broken.yaml": broken, "web.yaml": manifest(WEB)}, [API, WEB])
    assert plan_release(manifests, [NewImage(WEB, NEW)]).files == {"web.yaml": manifest(WEB, NEW)}


def test_a_service_in_several_manifests_has_one_step() -> None:
    before, after = ImageReference(API, OLD), ImageReference(API, NEW)
    edits = [Edit("a.yaml", 1, before, after), Edit("b.yaml", 9, before, after)]
    assert steps_of(edits, {API: "api", WEB: "web"}) == {"api": edits[0]}


SEPARATORS = "# a\u2028b\u2029c\x85d\n".encode()
CASES = {
    "plain": (manifest(API), manifest(API, NEW)),
    "no final newline": (manifest(API, end=""), manifest(API, NEW, end="")),
    "final newline added": (b"a: 1", b"a: 2\n"),
    "CRLF": (manifest(API).replace(b"\n", b"\r\n"), manifest(API, NEW).replace(b"\n", b"\r\n")),
    "BOM": (codecs.BOM_UTF8 + manifest(API), codecs.BOM_UTF8 + manifest(API, NEW)),
    "a lone CR and a form feed in a line": (manifest(API) + b"# a\rb\x0cc\n", manifest(API, NEW) + b"# a\rb\x0cc\n"),
    "line separators of Unicode": (manifest(API) + SEPARATORS, manifest(API, NEW) + SEPARATORS),
    "not ASCII": (manifest(API) + "# größer".encode(), manifest(API, NEW) + "# größer".encode()),
}


@pytest.mark.parametrize("name", CASES)
def test_git_applies_the_diff_and_gets_the_new_bytes(tmp_path: Path, name: str) -> None:
    before, after = CASES[name]
    file = tmp_path / "k8s/api.yaml"
    file.parent.mkdir()
    file.write_bytes(before)
    diff = Release((), {"k8s/api.yaml": ChangedManifest(before, after)}).diff()
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=diff.encode(), capture_output=True, check=True)
    assert file.read_bytes() == after


def test_a_missing_final_newline_is_told_as_git_tells_it() -> None:
    diff = Release((), {"a.yaml": ChangedManifest(b"a: 1", b"a: 2")}).diff()
    assert diff == (
        "--- a/a.yaml\n+++ b/a.yaml\n@@ -1 +1 @@\n"
        "-a: 1\n\\ No newline at end of file\n+a: 2\n\\ No newline at end of file\n"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_utf_16_manifest_is_shown_as_text(encoding: str) -> None:
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    before, after = (mark + f"a: größer\nb: {value}\n".encode(encoding) for value in (1, 2))
    lines = Release((), {"a.yaml": ChangedManifest(before, after)}).diff().splitlines()
    assert lines[3:] == [" a: größer", "-b: 1", "+b: 2"]


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    lines = Release((), {"a.yaml": ChangedManifest(b"# \xff\na: 1\n", b"# \xff\na: 2\n")}).diff().splitlines()
    assert lines[3:] == [" # \\xff", "-a: 1", "+a: 2"]
