"""What the docs show exists: every relative link leads somewhere, every command and option is one that the CLI knows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.spec.reader import load, validate
from harness.spec.task import Task

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WORKFLOWS = sorted((ROOT / ".github").rglob("*.yml"))
COMMAND = re.compile(r"xstilts-harness(?: (leaderboard|cache|job))? ([a-z]+)([^`\n#|]*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


@pytest.fixture(scope="module")
def known():
    """Help texts by command, asked once each."""
    texts: dict[tuple[str, ...], str] = {}

    def ask(*words: str) -> str:
        if words not in texts:
            done = subprocess.run(
                [sys.executable, "-c", "from harness.cli import main; main()", *words, "--help"],
                capture_output=True,
                text=True,
                check=False,
            )
            texts[words] = done.stdout if done.returncode == 0 else ""
        return texts[words]

    return ask


@pytest.mark.parametrize("page", [*PAGES, *WORKFLOWS], ids=lambda page: page.name)
def test_commands_and_options_exist(page, known):
    for group, command, rest in COMMAND.findall(page.read_text(encoding="utf-8").replace("\\\n", " ")):
        words = (group, command) if group else (command,)
        text = known(*words)
        assert text, f"{page.name} shows `xstilts-harness {' '.join(words)}`, which is no command"
        for option in re.findall(r"(?<=[ \[])--[a-z-]+", rest):
            assert option in text, f"{page.name} shows {option} with {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_task_examples_are_sound(page, tmp_path):
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        if not re.search(r"^task:", block, flags=re.MULTILINE):
            continue
        path = tmp_path / "example.yaml"
        path.write_text(block, encoding="utf-8")

        data, source = load(path)
        assert validate(data, source, Task).task == yaml.safe_load(block)["task"]
