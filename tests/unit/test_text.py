"""Foreign text in Markdown, rendered as GitHub renders it: it is shown, and never obeyed."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st
from markdown_it import MarkdownIt

from orbit_release.text import code, markdown_table, printable, without

MARKUP = [
    "|",
    "`",
    "``",
    "\\",
    "\\|",
    "*",
    "_",
    "~~",
    "[a](b)",
    "<b>",
    "<!--",
    "&lt;",
    "@ada",
    "Fixes #1",
    "$x$",
    "![a](b)",
]
FOREIGN = st.lists(st.sampled_from(MARKUP) | st.text(max_size=5)).map("".join)


class _Page(HTMLParser):
    """The elements of a page, and the text of each code element."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells = 0
        self.codes: list[str] = []
        self._inside = False
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.cells += tag == "td"
        if tag == "code":
            self._inside = True
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "code"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.codes[-1] += data


TABLE = {"table", "thead", "tbody", "tr", "th", "td", "code"}


@given(FOREIGN, FOREIGN)
def test_in_a_table_any_text_is_code_that_reads_as_it_is(first: str, second: str) -> None:
    page = _Page(markdown_table(("A", "B"), [(code(first), code(second))]))
    assert page.tags <= TABLE
    assert page.cells == 2
    assert page.codes == [printable(text) for text in (first, second) if text]


@given(FOREIGN.filter(bool))
def test_in_a_heading_any_text_is_code_that_reads_as_it_is(text: str) -> None:
    page = _Page(f"### To release: {code(text)}, {code(text)}\n")
    assert page.tags == {"h3", "code"}
    assert page.codes == [printable(text)] * 2


@pytest.mark.parametrize(
    "text", ["web", "services/bifröst/main.go", "sha-1a2b3c4", "a b", 'it\'s "x" <y> & *z* @ada #1']
)
def test_ordinary_text_stays_readable_in_the_source_as_well(text: str) -> None:
    assert code(text) == f"`{text}`"


def test_no_text_is_no_code() -> None:
    assert code("") == ""


def test_secrets_are_blotted_out_the_longest_first() -> None:
    assert without(["abc", "", "abcdef"], "said abc, abcdef") == "said ***, ***"
