"""Specification of scripts/render."""

from __future__ import annotations

import hashlib
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from tests.infrastructure.cluster import ROOT

SCRIPT = ROOT / "scripts/render"
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing answers
OLD = {
    "kubectl": "Client Version: v1.26.0\\nKustomize Version: v4.5.7",
    "kustomize": "{Version:kustomize/v4.5.7 GitCommit:56d82a BuildDate:2022-08-02T16:35:54Z}",
}


@pytest.fixture
def render() -> SimpleNamespace:
    """Return the script's names; `runpy` leaves no compiled copy in scripts/."""
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return a checkout with this script alone, and an empty `bin` to put on PATH."""
    (tmp_path / "bin").mkdir()
    for path in ("scripts", "infrastructure/k8s/redis"):
        shutil.copytree(ROOT / path, tmp_path / path)
    return tmp_path


def run(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script where only `bin` is on PATH and no network answers."""
    environment = {"PATH": str(bare / "bin"), "https_proxy": NOBODY, "HOME": str(bare)}
    command = [sys.executable, str(bare / "scripts/render"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Serve a folder on loopback and return its address."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "kubectl").write_bytes(b"#!/bin/sh\n")

    class Silent(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(served))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_renders_the_deployment_unless_a_folder_is_named() -> None:
    command = [sys.executable, str(SCRIPT)]
    whole = subprocess.check_output(command, cwd="/", text=True)
    redis = subprocess.check_output([*command, "k8s/redis"], cwd=ROOT / "infrastructure", text=True)
    assert "kind: Namespace" in whole
    assert "kind: Namespace" not in redis
    assert "kind: StatefulSet" in redis


@pytest.mark.parametrize("arguments", [("a", "b"), ("--help",)])
def test_it_tells_how_it_is_used(bare: Path, arguments: tuple[str, ...]) -> None:
    done = run(bare, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "scripts/render [FOLDER]" in done.stderr


def test_without_a_renderer_and_without_network_it_says_what_is_missing(bare: Path) -> None:
    done = run(bare, "infrastructure/k8s/redis")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot download https://dl.k8s.io/" in done.stderr
    assert "kubectl 1.27 or newer, or kustomize 5, is missing" in done.stderr
    assert "hint: install one of them" in done.stderr


def test_where_it_cannot_write_it_says_so(bare: Path) -> None:
    (bare / ".cache").write_text("")
    done = run(bare, "infrastructure/k8s/redis")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot write to {bare}/.cache/bin" in done.stderr
    assert "is missing" in done.stderr


@pytest.mark.parametrize("name", OLD)
def test_an_old_renderer_is_not_used(bare: Path, name: str) -> None:
    program = bare / "bin" / name
    program.write_text(f"#!/bin/sh\nprintf '{OLD[name]}\\n'\n")
    program.chmod(0o755)
    done = run(bare, "infrastructure/k8s/redis")
    assert done.returncode == 1
    assert "is missing" in done.stderr


def test_what_it_got_before_is_used_again(bare: Path) -> None:
    program = bare / ".cache/bin/kubectl"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n[ $1 = version ] && echo 'Kustomize Version: v5.0.1' || echo \"$@\"\n")
    program.chmod(0o755)
    done = run(bare, "a folder")
    assert (done.returncode, done.stdout, done.stderr) == (0, "kustomize a folder\n", "")


def test_a_download_is_kept_only_with_its_checksum(
    render: SimpleNamespace, site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "kubectl"
    checksum = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert not render.download(f"{site}/kubectl", "0" * 64, target)
    assert not render.download(f"{site}/gone", checksum, target)
    assert list(tmp_path.glob("kubectl*")) == []
    err = capsys.readouterr().err
    assert "another checksum than expected" in err
    assert "404" in err
    assert render.download(f"{site}/kubectl", checksum, target)
    assert os.access(target, os.X_OK)
