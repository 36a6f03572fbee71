"""The report: one static page that needs nothing beside itself.

What stands in it was written by many people: every value is escaped by the template engine, and none of them can
reorder or hide the text around it. A policy within the page forbids everything that the page does not bring.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from orbit_release.flows.status import Status
from orbit_release.releases.timeline import Stretch
from orbit_release.report import drawing
from orbit_release.report.dora_figures import SOURCE, Figure
from orbit_release.report.rows import release_rows, service_row, summary, web
from orbit_release.report.time_words import Moment
from orbit_release.text import counted, printable

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True)
class Page:
    """`address` is the monorepo's web address or "", `commit` the tip of the branch, `now` in seconds since 1970."""

    address: str
    branch: str
    commit: str
    now: int
    statuses: Sequence[Status]
    histories: Mapping[str, Sequence[Stretch]]
    figures: Sequence[Figure]


def render(page: Page) -> str:
    from markupsafe import Markup  # noqa: PLC0415

    style, script = _file("page.css"), _file("page.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
    policy += "base-uri 'none'; form-action 'none'"
    own = {"style": Markup(style), "script": Markup(script), "policy": policy}  # noqa: S704  (our own files)
    return _template().render(own | _content(page))


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  (30 ms that only the report pays for)

    # `finalize` sees each value before it is escaped.
    engine = Environment(
        autoescape=True, finalize=_made_printable, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return engine.from_string(_file("page.html"))


def _made_printable(value: object) -> object:
    return printable(value) if type(value) is str else value  # exactly str: mark-up is text that is done already


def _file(name: str) -> str:
    return files("orbit_release.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _content(page: Page) -> dict[str, Any]:
    address = web(page.address).rstrip("/")
    rows, left_out = release_rows(page.histories, address, page.now)
    services = [service_row(status, page.histories.get(status.service.name, ()), page.now) for status in page.statuses]
    return {
        "page": page,
        "title": "/".join(address.split("/")[3:]) or "Releases",
        "address": address,
        "now": Moment(page.now),
        "services": services,
        "summary": summary(services),
        "timeline": drawing.timeline(page.histories, page.now),
        "plots": [drawing.plot(figure, page.now) for figure in page.figures],
        "bar": drawing.BAR,
        "height": drawing.HEIGHT,
        "source": SOURCE,
        "releases": rows,
        "left_out": left_out,
        "count": counted,
    }
