"""README and tutorial do what they say: every command in them is executed, in order, in one temporary folder.

A fenced block in bash or Python stands below one of these comments:

    <!-- setup: main -->              one line, complete on a fresh machine; only its form is checked here
    <!-- setup: tests -->             likewise; .ci/run takes this very line
    <!-- run -->                      executed as it stands
    <!-- run: 1000000 becomes 128 --> executed with that replaced, so that it takes seconds
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from neural_env.command import stage_name

_ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>bash|python)\n(?P<text>.*?)^```$", re.M | re.S)
_SECONDS = 300


@dataclass(frozen=True)
class Block:
    """A fenced block and the comment above it."""

    mark: str
    language: str
    text: str

    @property
    def is_setup(self) -> bool:
        return self.mark.startswith("setup")

    @property
    def commands(self) -> list[list[str]]:
        """What to execute: one command a line, or one Python script."""
        text = self.text
        if self.mark != "run":
            before, _, after = self.mark.removeprefix("run: ").partition(" becomes ")
            assert before in text, f"{self.mark!r}: {before!r} is not in the block"
            text = text.replace(before, after)
        if self.language == "python":
            return [[sys.executable, "-c", text]]
        return [shlex.split(line, comments=True) for line in text.splitlines() if line.strip()]


def _blocks(text: str) -> list[Block]:
    return [Block(found["mark"] or "", found["language"], found["text"]) for found in _BLOCK.finditer(text)]


_README = _blocks((_ROOT / "README.md").read_text())
_TUTORIAL = _blocks((_ROOT / "docs" / "training.md").read_text())


def _setup(name: str) -> str:
    (block,) = [block for block in _README if block.mark == f"setup: {name}"]
    (line,) = block.text.strip().splitlines()
    return line


def test_every_block_says_whether_it_is_run() -> None:
    assert len(_README) >= 5
    blocks = [*_README, *_TUTORIAL]
    assert all(re.fullmatch(r"run|run: .+ becomes .+|setup: (main|tests)", block.mark) for block in blocks)


def test_a_block_without_a_mark_would_be_seen() -> None:
    unmarked, marked = _blocks("```bash\nls\n```\n\n<!-- run: 10 becomes 1 -->\n```bash\na 10\nb  # c\n```\n")
    assert unmarked.mark == ""
    assert marked.commands == [["a", "1"], ["b"]]


@pytest.mark.parametrize("blocks", [_README, _TUTORIAL], ids=["README", "tutorial"])
def test_every_command_runs(tmp_path: Path, blocks: list[Block]) -> None:
    """In order, each seeing what the ones before it left."""
    commands = [command for block in blocks if not block.is_setup for command in block.commands]
    assert len(commands) >= 4
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # One thread: several wait on each other where other processes are busy, eight times as long in a measured case.
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    for command in commands:
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        assert ended.returncode == 0, f"{shlex.join(command)}\n{ended.stdout}\n{ended.stderr}"


@pytest.mark.parametrize("name", ["main", "tests"])
def test_a_setup_line_is_complete_on_a_fresh_machine(name: str) -> None:
    steps = _setup(name).split(" && ")
    assert steps[0] == "python3 -m venv .venv"
    assert steps[1].startswith(".venv/bin/pip install -c constraints.txt ")
    assert len(steps) > 2
    assert all(step.startswith(".venv/bin/") for step in steps[1:])
    assert (_ROOT / "constraints.txt").is_file()


def test_the_main_line_uses_stages_that_exist() -> None:
    steps = [shlex.split(step) for step in _setup("main").split(" && ") if step.startswith(".venv/bin/neural-env ")]
    assert steps
    assert all(stage_name(words[1:]) for words in steps)


def test_the_main_line_measures_the_gap() -> None:
    assert shlex.split(_setup("main"))[-3:] == [".venv/bin/neural-env", "gap", "Pong"]


@pytest.mark.slow
def test_the_main_job_runs(tmp_path: Path) -> None:
    """What the main line does once it is installed: a verdict and a page."""
    done = subprocess.run(
        [f"{Path(sys.executable).parent}/neural-env", "gap", "Pong"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "use for ranking" in done.stdout
    assert (tmp_path / "gap" / "pong-smoke" / "index.html").is_file()


def test_ci_runs_the_test_line_of_the_readme() -> None:
    """.ci/run cuts the line out of the README; here its own sed expression is asked what it finds."""
    script = (_ROOT / ".ci" / "run").read_text()
    (extraction,) = re.findall(r'^command="\$\((sed .*)\)"$', script, re.M)
    found = subprocess.run(["bash", "-c", extraction], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == _setup("tests")
    assert os.access(_ROOT / ".ci" / "run", os.X_OK)


def test_the_readme_says_what_to_know_before_installing() -> None:
    text = (_ROOT / "README.md").read_text()
    assert "https://download.pytorch.org/whl/cpu" in text
    assert "openai-agents" in text
