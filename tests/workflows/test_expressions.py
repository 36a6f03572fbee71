"""The evaluator keeps to what GitHub documents, so that the tests of the workflows may trust it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.expressions import ExpressionError, Status, condition, evaluate, interpolate

CONTEXTS = {
    "github": {"event_name": "push", "ref": "refs/heads/main", "actor": None},
    "needs": {"plan": {"result": "success", "outputs": {"matrix": '{"include":[]}', "count": "0"}}},
    "inputs": {"dry-run": True, "ratio": 1.50, "limit": 10.0, "list": ["a", "b"]},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("github.event_name == 'PUSH'", True),  # case does not count, in text and in names
        ("GitHub.Event_Name", "push"),
        ("fromJSON(needs.plan.outputs.matrix)", {"include": []}),
        ("fromJSON(needs.plan.outputs.count) > 0", False),
        ("toJSON(inputs.list)", '[\n  "a",\n  "b"\n]'),
        ("contains(inputs.list, 'B')", True),
        ("contains(fromJSON('[\"main\"]'), 'mai')", False),
        ("startsWith(github.ref, 'refs/heads/')", True),
        ("endsWith(github.ref, 'main')", True),
        ("join(inputs.list, ', ')", "a, b"),
        ("format('{0}: {{{1}}}', 'a', inputs.ratio)", "a: {1.5}"),
        ("needs.*.result", ["success"]),
        ("inputs['dry-run'] && 'dry' || 'real'", "dry"),
        ("needs.nobody.outputs.x", None),
        ("github.actor == ''", True),
        ("'0' == false", True),
        ("'abc' == 0", False),
        ("'it''s'", "it's"),
        ("0xff", 255),
        ("-2.99e-2", -0.0299),
    ],
)
def test_an_expression_has_the_value_that_github_gives_it(expression: str, value: Any) -> None:
    assert evaluate(expression, CONTEXTS) == value


@pytest.mark.parametrize(
    "expression",
    [
        "secrets.TOKEN",
        "fromYAML('a: 1')",
        "hashFiles('**')",
        "success()",
        "fromJSON('')",
        "contains('a')",
        "github.ref ==",
        "github.ref) || (true",
        "",
    ],
)
def test_what_github_refuses_is_an_error(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, CONTEXTS)


def test_a_condition_that_does_not_parse_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="Unexpected symbol"):
        condition("github.ref) || (true", CONTEXTS)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("${{ inputs.dry-run }}", True),
        ("${{ fromJSON(needs.plan.outputs.matrix) }}", {"include": []}),
        ("${{ github.actor }}", None),
        ("[${{ github.actor }}]", "[]"),
        ("dry ${{ inputs.dry-run }}", "dry true"),
        ("${{ inputs.ratio }} ${{ inputs.limit }}", "1.5 10"),
        ("${{ inputs.list }}!", "Array!"),
        ("${{ '}}' }}-${{ '${{' }}", "}}-${{"),
        ("$WORD {{ x }}", "$WORD {{ x }}"),
        ("", ""),
        (5, 5),
        (None, None),
    ],
)
def test_a_scalar_keeps_the_type_of_its_only_expression_and_is_text_otherwise(scalar: Any, value: Any) -> None:
    assert interpolate(scalar, CONTEXTS) == value


def test_an_expression_without_an_end_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="not closed"):
        interpolate("${{ github.ref }", CONTEXTS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, False),
        ("true", False),
        (True, False),
        ("${{ true }}", False),
        ("github.event_name == 'push'", False),
        ("contains('always()', 'a')", False),  # a name in a text is no call
        ("!cancelled()", True),
        ("${{ !cancelled() }}", True),
        ("always() && needs.plan.result == 'success'", True),
        ("always() && github.actor", False),
        ("failure()", False),
        ("success() || github.ref", True),
    ],
)
def test_a_skipped_job_skips_what_needs_it_unless_the_condition_names_a_status(text: str | None, value: bool) -> None:  # noqa: FBT001
    assert condition(text, CONTEXTS, Status.of_job(["success", "skipped"])) is value


@pytest.mark.parametrize(
    ("results", "cancelled", "answers"),
    [
        ([], False, (True, False, False)),
        (["success", "success"], False, (True, False, False)),
        (["success", "skipped"], False, (False, False, False)),
        (["skipped", "failure"], False, (False, True, False)),
        (["cancelled"], False, (False, False, False)),  # a job was, the run was not
        (["success"], True, (False, False, True)),
    ],
)
def test_the_status_of_a_job_follows_from_all_jobs_before_it(
    results: list[str],
    cancelled: bool,  # noqa: FBT001
    answers: tuple[bool, ...],
) -> None:
    status = Status.of_job(results, cancelled=cancelled)
    found = tuple(condition(name, CONTEXTS, status) for name in ("success()", "failure()", "cancelled()"))
    assert found == answers
    assert condition("always()", CONTEXTS, status)


@pytest.mark.parametrize(
    ("failed", "cancelled", "answers"),
    [
        (False, False, (True, False, False)),
        (True, False, (False, True, False)),
        (True, True, (False, False, True)),
    ],
)
def test_the_status_of_a_step_is_that_of_its_job(failed: bool, cancelled: bool, answers: tuple[bool, ...]) -> None:  # noqa: FBT001
    status = Status.of_step(failed=failed, cancelled=cancelled)
    found = tuple(condition(name, CONTEXTS, status) for name in ("success()", "failure()", "cancelled()"))
    assert found == answers


def test_a_result_that_no_job_has_is_refused() -> None:
    with pytest.raises(ValueError, match="succes"):
        Status.of_job(["succes"])


def test_a_condition_with_text_around_its_expression_is_an_error_as_it_would_always_hold() -> None:
    with pytest.raises(ExpressionError, match="always true"):
        condition("${{ github.actor }} == 'me'", CONTEXTS)


def test_files_are_hashed_as_the_runner_does(tmp_path: Path) -> None:
    for name in ("b.lock", "a.lock", "c.txt", "skip.lock"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    each = b"".join(hashlib.sha256(name.encode()).digest() for name in ("a.lock", "b.lock"))
    assert evaluate("hashFiles('*.lock', '!skip.lock')", {}, files=tmp_path) == hashlib.sha256(each).hexdigest()
    assert evaluate("hashFiles('nothing-*')", {}, files=tmp_path) == ""
