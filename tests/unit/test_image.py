from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given, strategies as st

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, ImageReference, Repository, Tag

# The regular expressions of github.com/distribution/reference (regexp.go), restated from its published grammar:
#   domain [":" port] "/" path [":" tag] ["@" digest]
_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[(?:[a-fA-F0-9:]+)\])"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
_NAME = rf"(?:{_HOST}(?::[0-9]+)?/)?{_PATH}(?:/{_PATH})*"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
PUBLISHED = re.compile(rf"({_NAME})(?::([\w][\w.-]{{0,127}}))?(?:@({_DIGEST}))?", re.ASCII)
# What is ruled outside the expressions: registered algorithms have digests of one length (opencontainers/go-digest),
# and a first part that looks like a host is one (splitDockerDomain in normalize.go).
REGISTERED = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
HOST_AND_PORT = re.compile(rf"{_HOST}(?::[0-9]+)?", re.ASCII)

HEX = "0123456789abcdef"
LABELS = st.sampled_from(["a", "Z", "0", "a-b", "a--9", "ghcr", "xn--4ca"])
PORTS = st.sampled_from(["", ":5000", ":443"])
NAMED_HOSTS = st.builds("{}.{}{}".format, LABELS, LABELS, PORTS) | LABELS.map("{}:8443".format)
HOSTS = NAMED_HOSTS | st.builds(
    "{}{}".format, st.sampled_from(["localhost", "127.0.0.1", "[::1]", "[2001:db8::A]", "GHCR"]), PORTS
)
WORDS = st.text("ab09", min_size=1, max_size=4)
JOINED = st.lists(st.sampled_from([".", "_", "__", "-", "---"]), max_size=2).flatmap(
    lambda marks: st.tuples(WORDS, *(WORDS.map(mark.__add__) for mark in marks)).map("".join)
)
PATHS = st.builds(
    "{}{}".format, WORDS, st.lists(JOINED.map("/{}".format), max_size=4).map("".join)
)  # no host in front of it, so nothing that looks like one
REPOSITORIES = PATHS | st.builds("{}/{}".format, HOSTS, PATHS)
TAGS = st.builds("{}{}".format, st.sampled_from("aZ0_"), st.text("aZ09_.-", max_size=127))
DIGESTS = st.text(HEX, min_size=64, max_size=64).map("sha256:{}".format)
DIGESTS |= st.text(HEX, min_size=128, max_size=128).map("sha512:{}".format)
REFERENCES = st.builds(
    ImageReference, REPOSITORIES.map(Repository), st.none() | TAGS.map(Tag), st.none() | DIGESTS.map(Digest)
)


def published(text: str) -> tuple[str, str | None, str | None] | None:
    """Return name, tag and digest as the published expressions take a reference apart; None if they refuse it."""
    match = PUBLISHED.fullmatch(text)
    if match is None or (match[3] and not REGISTERED.fullmatch(match[3])):
        return None
    first, slash, _ = match[1].partition("/")
    if slash and re.search(r"[.:\[A-Z]|^localhost$", first) and not HOST_AND_PORT.fullmatch(first):
        return None
    return match[1], match[2], match[3]


def ours(text: str) -> tuple[str, str | None, str | None] | None:
    try:
        found = ImageReference.parse(text)
    except InvalidError:
        return None
    return parts(found)


def parts(found: ImageReference) -> tuple[str, str | None, str | None]:
    return str(found.repository), str(found.tag) if found.tag else None, str(found.digest) if found.digest else None


@given(REFERENCES)
def test_a_reference_is_read_back_from_its_text(reference: ImageReference) -> None:
    assert ImageReference.parse(str(reference)) == reference


@given(REFERENCES)
def test_a_valid_reference_is_valid_by_the_published_grammar(reference: ImageReference) -> None:
    assert published(str(reference)) == parts(reference)


ANY = st.text("aZ0.:/@-_[]", max_size=12)


@given(ANY | st.builds("{}{}{}".format, REPOSITORIES, ANY, TAGS) | st.builds("{}{}".format, REFERENCES, ANY))
def test_any_text_is_read_or_refused_as_by_the_published_grammar(text: str) -> None:
    assert ours(text) == published(text)


@given(st.text(max_size=20))
def test_any_unicode_text_is_read_or_refused_as_by_the_published_grammar(text: str) -> None:
    assert ours(text) == published(text)


@given(REPOSITORIES)
def test_host_and_path_put_together_are_the_name(name: str) -> None:
    repository = Repository(name)
    assert name == (f"{repository.host}/{repository.path}" if repository.host else repository.path)


@pytest.mark.parametrize(
    ("text", "host", "path", "tag"),
    [
        ("127.0.0.1:5000/x", "127.0.0.1:5000", "x", None),
        ("127.0.0.1:5000/x:5000", "127.0.0.1:5000", "x", "5000"),
        ("localhost:5000/a/b/c", "localhost:5000", "a/b/c", None),
        ("localhost/a", "localhost", "a", None),
        ("[::1]:5000/a:b", "[::1]:5000", "a", "b"),
        ("[2001:db8::1]/a", "[2001:db8::1]", "a", None),
        ("ghcr.io/drewpayment/orbit/bifrost:sha-1a2b3c4", "ghcr.io", "drewpayment/orbit/bifrost", "sha-1a2b3c4"),
        ("redis", "", "redis", None),
        ("redis:7", "", "redis", "7"),
        ("library/redis", "", "library/redis", None),
        ("localhost:5000", "", "localhost", "5000"),
        ("GHCR/a", "GHCR", "a", None),
    ],
)
def test_a_colon_before_a_slash_is_a_port_and_the_last_one_a_tag(
    text: str, host: str, path: str, tag: str | None
) -> None:
    found = ImageReference.parse(text)
    assert (found.repository.host, found.repository.path, found.tag and found.tag.name) == (host, path, tag)


def test_a_tag_and_a_digest_may_stand_together() -> None:
    digest = f"sha256:{'a' * 64}"
    found = ImageReference.parse(f"localhost:5000/a:b@{digest}")
    assert found == ImageReference(Repository("localhost:5000/a"), Tag("b"), Digest(digest))
    assert found.suffix == f":b@{digest}"


@pytest.mark.parametrize("host", ["", "ghcr.io/", "127.0.0.1:5000/"])
def test_a_path_has_at_most_255_characters_and_the_host_does_not_count(host: str) -> None:
    assert Repository(f"{host}{'a' * 255}").path == "a" * 255
    with pytest.raises(InvalidError) as refused:
        Repository(f"{host}{'a' * 256}")
    assert "255" in refused.value.hint


def test_a_tag_has_at_most_128_characters() -> None:
    assert str(Tag("a" * 128)) == "a" * 128
    with pytest.raises(InvalidError) as refused:
        Tag("a" * 129)
    assert "128" in refused.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "Redis",
        "ghcr.io/Owner/a",
        "a/B",
        "a b",
        "a\n",
        "a:b\n",
        "ghcr.io/",
        "ghcr.io/a:",
        "ghcr.io/a:-b",
        "ghcr.io/a:.b",
        "ghcr.io/a:b:c",
        "ghcr.io/a@",
        "ghcr.io/a@sha256:abc",
        f"ghcr.io/a@sha256:{'A' * 64}",
        f"ghcr.io/a@sha384:{'a' * 96}",
        f"ghcr.io/a@sha256:{'a' * 64}@sha256:{'a' * 64}",
        f"ghcr.io/a@sha256:{'a' * 64}:tag",
        "a___b",
        "a..b",
        "a._b",
        "-a",
        "a-",
        "_a",
        "-host.io/a",
        "host-.io/a",
        "host.io:port/a",
        "host.io:/a",
        "[::1/a",
        "[::g]/a",
        "[]/a",
        "ä",
        "a:ä",
        "https://ghcr.io/a",
        "\u0661.io/a",
        "a:\u0661",
        "ghcr.io/a/../b",
        f"{'a' * 64}",
        f"ghcr.io/{'0' * 64}",
    ],
)
def test_what_breaks_the_grammar_is_refused_and_named_with_the_rule(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        ImageReference.parse(text)
    named = re.fullmatch(r"invalid (?:repository|tag|digest) (.*)", refused.value.message)
    assert named
    assert ast.literal_eval(named[1]) in text
    assert refused.value.hint.endswith(".")
    assert "\n" not in refused.value.hint


@pytest.mark.parametrize("make", [Repository, Tag, Digest])
def test_each_name_refuses_what_it_cannot_be_and_repeats_it(make: type[Repository | Tag | Digest]) -> None:
    with pytest.raises(InvalidError, match=re.escape("'no name\\n'")):
        make("no name\n")


HUB = st.sampled_from(["", "docker.io/", "index.docker.io/", "registry-1.docker.io/"])


@given(PATHS.filter(lambda path: not path.startswith("localhost/")), HUB, HUB)
def test_all_spellings_of_an_image_of_docker_hub_are_one(path: str, one: str, other: str) -> None:
    first, second = Repository(f"{one}{path}"), Repository(f"{other}{path}")
    assert first == second
    assert hash(first) == hash(second)
    assert (str(first), first.registry) == (f"{one}{path}", "docker.io")
    assert {first: 1}[second] == 1
    assert (first == Repository(f"{other}library/{path}")) is ("/" not in path)


@given(REPOSITORIES, REPOSITORIES)
def test_repositories_are_equal_exactly_where_registry_and_remote_name_are(one: str, other: str) -> None:
    first, second = Repository(one), Repository(other)
    same = (first.registry, first.remote) == (second.registry, second.remote)
    assert (first == second) is same
    assert not same or hash(first) == hash(second)


@pytest.mark.parametrize("other", ["ghcr.io/acme/api", "acme/api2", "library/acme/api", "docker.io.evil/acme/api"])
def test_another_host_or_path_is_another_image(other: str) -> None:
    assert Repository("acme/api") != Repository(other)
