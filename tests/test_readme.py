"""What the README promises is tried: its Python runs, its commands parse, its files are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from engine.cli import parser

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
COMMANDS = [
    line for kind, code in BLOCKS if kind == "sh" for line in code.splitlines() if "-m engine" in line
]


@pytest.mark.parametrize("code", PYTHON)
def test_python_example_runs(code, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("grad_eclip a dog (14, 14) ") and len(lines) == 4


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_understood(command):
    words = shlex.split(command, comments=True)
    assert words[:3] == ["python", "-m", "engine"]
    assert parser().parse_args(words[3:]).run


def test_there_is_something_to_try():
    assert PYTHON and len(COMMANDS) >= 5


@pytest.mark.parametrize("link", re.findall(r"\]\(([^):]+)\)", TEXT))
def test_linked_file_is_there(link):
    assert (ROOT / link).exists()


def test_make_knows_the_promised_targets():
    makefile = (ROOT / "Makefile").read_text()
    promised = set(re.findall(r"(?:^|`)make (\w+)", TEXT, re.MULTILINE))
    assert {"run", "test"} <= promised
    for target in promised:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
