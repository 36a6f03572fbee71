"""The player of workflows keeps to what GitHub documents, and refuses what it does not play."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflows.actions import play_action
from tests.workflows.machine import Machine, Site, pairs
from tests.workflows.runner import Event, Run

SITE = Site("https://github.com", "https://api.github.com", "octo/orbit", "secret")
WORKFLOW = """\
name: Small
on:
  push:
    branches: [main]
permissions: {}
jobs:
  first:
    name: First
    runs-on: ubuntu-24.04
    outputs:
      word: ${{ steps.say.outputs.word }}
    steps:
      - id: say
        run: |
          echo "word=hello" >>"$GITHUB_OUTPUT"
          echo "MOOD=fine" >>"$GITHUB_ENV"
          mkdir tools && printf '#!/bin/sh\\necho "tool is $MOOD"' >tools/tool && chmod +x tools/tool
          echo "$PWD/tools" >>"$GITHUB_PATH"
          echo "# Title" >>"$GITHUB_STEP_SUMMARY"
      - name: Tool
        run: tool
  second:
    name: Second ${{ matrix.letter }}
    needs: first
    runs-on: ubuntu-24.04
    strategy:
      fail-fast: false
      matrix: ${{ fromJSON('{"include":[{"letter":"a"},{"letter":"b"}]}') }}
    steps:
      - id: try
        continue-on-error: true
        run: echo "got=$WORD" >>"$GITHUB_OUTPUT"; exit 1
        env:
          WORD: ${{ needs.first.outputs.word }}
      - name: After
        run: |
          echo "::error file=x,line=1::$TRIED"
          false | cat
          test "${{ matrix.letter }}" = a
        env:
          TRIED: ${{ steps.try.outcome }} ${{ steps.try.conclusion }} ${{ steps.try.outputs.got }}
      - name: Shell
        shell: bash
        run: false | cat
      - name: Last
        if: ${{ failure() }}
        run: echo cleaning up
  third:
    name: Third
    needs: [second]
    runs-on: ubuntu-24.04
    steps:
      - run: "true"
"""
FAULTS = [
    ("permissions: {}", "permissions: {}\nenv: {A: b}", "workflow: env"),
    ("  push:", "  schedule: []\n  push:", "events: schedule"),
    ("    branches: [main]", "    branches: [topic]", "starts no run"),
    ("    name: First", "    name: First\n    container: alpine", "job: container"),
    ("      - name: Tool", "      - name: Tool\n        timeout-minutes: 1", "step: timeout-minutes"),
    ("fail-fast: false", "fail-fast: true", "fail-fast"),
    ("fail-fast: false", "max-parallel: 1", "strategy: max-parallel"),
    ('{"include":[{"letter":"a"},{"letter":"b"}]}', '{"include":[]}', "empty matrix"),
    ('{"include":[{"letter":"a"},{"letter":"b"}]}', '{"letter":["a","b"]}', "matrix: letter"),
]


def run_of(folder: Path, text: str = WORKFLOW) -> Run:
    path = folder / "workflow.yml"
    path.write_text(text, encoding="utf-8")
    return Run(SITE, folder / "runs", Event("0" * 40), path=path)


def test_steps_talk_through_files_and_jobs_through_outputs(tmp_path: Path) -> None:
    run = run_of(tmp_path).play()
    assert run["First"].outputs == {"word": "hello"}
    assert (run["First"].result, run["First"].summary) == ("success", "# Title\n")
    assert "tool is fine" in run["First"].log


def test_a_failure_that_is_allowed_keeps_its_outputs_and_lets_the_job_go_on(tmp_path: Path) -> None:
    run = run_of(tmp_path).play()
    assert run.annotations == ["failure success hello"] * 2
    assert run["Second a"].steps == {"try": "failure", "After": "success", "Shell": "failure", "Last": "success"}
    assert run["Second b"].steps == {"try": "failure", "After": "failure", "Shell": "skipped", "Last": "success"}


def test_what_needs_a_failed_job_is_skipped(tmp_path: Path) -> None:
    run = run_of(tmp_path).play()
    assert [(job.name, job.result) for job in run.all] == [
        ("First", "success"),
        ("Second a", "failure"),
        ("Second b", "failure"),
        ("Third", "skipped"),
    ]
    assert (run.result, run.started) == ("failure", ["First", "Second a", "Second b"])


def test_a_run_can_wait_before_a_job_and_go_on(tmp_path: Path) -> None:
    run = run_of(tmp_path).play(before="second")
    assert list(run.jobs) == ["first"]
    assert list(run.play().jobs) == ["first", "second", "third"]


def test_failed_jobs_and_what_needs_them_run_again_and_the_others_are_kept(tmp_path: Path) -> None:
    only_b = WORKFLOW.replace("        run: false | cat\n", "        run: true\n")
    first = run_of(tmp_path, only_b).play()
    again = first.again(failed=True).play()
    assert [again[name] is first[name] for name in ("First", "Second a", "Second b")] == [True, True, False]
    assert first.again().play()["First"] is not first["First"]


@pytest.mark.parametrize(("old", "new", "words"), FAULTS)
def test_what_is_not_played_is_an_error(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in WORKFLOW
    with pytest.raises(ValueError, match=words):
        run_of(tmp_path, WORKFLOW.replace(old, new)).play()


@pytest.mark.parametrize(
    ("uses", "given", "error"),
    [
        ("octo/unknown@0", {}, KeyError),
        ("actions/checkout@0", {"submodules": "true"}, AssertionError),
        ("docker/login-action@0", {"registry": "ghcr.io"}, AssertionError),
    ],
)
def test_an_action_or_input_that_is_not_played_is_an_error(
    tmp_path: Path, uses: str, given: dict[str, str], error: type[Exception]
) -> None:
    machine = Machine(tmp_path / "machine", run_of(tmp_path).github, SITE)
    with pytest.raises(error):
        play_action(machine, uses, given)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("a=1\nb=2=3\n", {"a": "1", "b": "2=3"}),
        ("a<<END\none\n\ntwo\nEND\nb=1\n", {"a": "one\n\ntwo", "b": "1"}),
        ("a<<END\nEND\n", {"a": ""}),
        ("a=x<<y\n", {"a": "x<<y"}),
    ],
)
def test_command_files_are_read_as_the_runner_does(text: str, found: dict[str, str]) -> None:
    assert pairs(text) == found


@pytest.mark.parametrize("text", ["word\n", "a<<END\none\n"])
def test_a_command_file_that_the_runner_refuses_is_an_error(text: str) -> None:
    with pytest.raises(AssertionError):
        pairs(text)
