"""Two pages of the site that are made from the code: every command's help, the library's names."""

import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.structure.files import File, Files

import harness
from harness.cli import app

WIDTH = 100  # columns


def on_files(files: Files, config: Any) -> Files:
    """The pages join the others."""
    pages = {"commands.md": commands(), "api.md": library()}
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def commands() -> str:
    """What `--help` says of each command, in the order of the general one."""
    parts = ["# Commands", "What `xstilts-harness COMMAND --help` says."]
    for path, text in _helps(typer.main.get_command(app), "xstilts-harness", None):
        parts += [f"## {path}", f"```text\n{text}\n```"]
    return "\n\n".join(parts) + "\n"


def _helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    """(path, help) of a command and of those below it."""
    context = command.context_class(
        command, info_name=name, parent=parent, max_content_width=WIDTH, terminal_width=WIDTH
    )
    yield context.command_path, command.get_help(context)
    for below in getattr(command, "list_commands", lambda context: [])(context):
        found = command.get_command(context, below)
        if not found.hidden:
            yield from _helps(found, below, context)


def library() -> str:
    """Signatures and docstrings of what `harness` offers."""
    parts = ["# The library", "What `from harness import ...` gives; [how it is used](python.md)."]
    for name in harness.__all__:
        found = getattr(harness, name)
        parts += _entry(name, found)
        if inspect.isclass(found):
            for member, of in vars(found).items():
                if not member.startswith("_"):
                    parts += _entry(f"{name}.{member}", of)
    return "\n\n".join(parts) + "\n"


def _entry(name: str, found: Any) -> list[str]:
    """As its source has it, down to the docstring."""
    made_by = getattr(found, "fget", None) or getattr(found, "func", None) or found
    head = textwrap.dedent(inspect.getsource(made_by)).split('"""')[0].rstrip()
    return [f"## {name}", f"```python\n{head}\n```", f"```text\n{inspect.getdoc(made_by)}\n```"]
