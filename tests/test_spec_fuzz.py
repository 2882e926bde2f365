"""Built-in YAML files, damaged at random: sound or lines of complaint, in bounded time and memory.
Long form: XSTILTS_STRESS."""

import random
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stress import times

from harness.common.errors import HarnessError, SpecError
from harness.spec.catalog import KINDS, Catalog, builtin_root
from harness.spec.template import fill, placeholders

BUILTIN = [path for kind in KINDS for path in sorted((builtin_root() / f"{kind}s").glob("*.yaml"))]
LINE = re.compile(r"^.+:\d+:\d+: .+")
PIECES = [
    *"-:?,[]{}#&*!|>'\"%@`+~/.\\ \n\t\r\0",
    *(
        "{phase}",
        "{0}",
        "{language!r}",
        "{language:>3000000000}",
        "{language.x}",
        "{{",
        "{part}",
        "{split}",
        "{name}",
    ),
    *(
        "1e300",
        "9" * 99,
        "-1",
        "0",
        ".nan",
        "null",
        "true",
        "010",
        "1e-400",
        "99999999999",
        "[:150%]",
        "[5:1]",
        "[:0]",
    ),
    *(
        "../" * 3,
        "/etc/passwd",
        "~",
        "x" * 300,
        "字" * 200,
        "a" * 12_000,
        "[" * 40,
        "{a: " * 40,
        "- " * 50,
        "*.yaml",
    ),
    *(
        "\x1b[31m",
        "\u202e",
        "\u200b",
        "\ud800",
        "\\u202e",
        "\\0",
        "\u2028",
        "\ufeff",
        "é",
        "\U000e0041",
    ),
    *(
        "<<: *a",
        "&a ",
        "!!python/object:os.system ",
        "---\n",
        "javascript:x",
        "train+" * 60 + "train",
        "en-../x",
        ", en" * 500,
    ),
]


def damaged(rng: random.Random) -> bytes:
    """A built-in file after one to four mistakes: pieces put in, values replaced, lines lost,
    doubled, moved or indented."""
    text = rng.choice(BUILTIN).read_text(encoding="utf-8")
    for _ in range(rng.randint(1, 4)):
        lines = text.split("\n")
        i = rng.randrange(len(lines))
        how = rng.randrange(6)
        if how == 0:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(PIECES) + text[at + rng.choice([0, 0, 1, 5]) :]
            continue
        if how == 1:
            lines[i] = re.sub(
                r"(:\s+).*", lambda found: found[1] + rng.choice(PIECES), lines[i], count=1
            )
        elif how == 2:
            del lines[i]
        elif how == 3:
            lines.insert(rng.randrange(len(lines)), lines[i])
        elif how == 4:
            lines[i] = rng.choice(["  ", " ", "\t", "- "]) + lines[i]
        else:
            lines[i] = re.sub(
                r"\{\w+\}|\w+",
                lambda found: rng.choice([found[0], found[0], rng.choice(PIECES)]),
                lines[i],
            )
        text = "\n".join(lines)
    return text.encode("utf-8", "surrogatepass")


def fuzz(count: int, seed: int, folder: Path) -> dict[str, int]:
    """Reads `count` damaged files, each alone beside the built-in ones; fails on anything but a
    catalog or SpecError."""
    rng, path, came = random.Random(seed), folder / "fuzz.yaml", {"sound": 0, "refused": 0}
    for number in range(count):
        raw = damaged(rng)
        path.write_bytes(raw)
        started = time.process_time()
        try:
            catalog = Catalog()
            lines = catalog._add([path], user=True)
            if not lines:
                _fill_all(catalog)
        except Exception as error:
            error.add_note(f"seed {seed}, file {number}:\n{raw[:3000]!r}")
            raise
        came["refused" if lines else "sound"] += 1
        for line in "\n".join(lines).split("\n") if lines else []:
            assert LINE.match(line) and len(line) < 2500, (seed, number, line)
        assert time.process_time() - started < 20, (seed, number)
    return came


def _fill_all(catalog: Catalog) -> None:
    """What a sound task has filled in is short and holds no brace of a placeholder."""
    for task in catalog.tasks.values():
        for template in filter(
            None, (task.source.files, task.source.config, *task.source.where.values())
        ):
            values = dict.fromkeys(("language", "name", "split", "part"), "x")
            assert placeholders(template) <= set(values) and len(fill(template, values)) <= 2 * len(
                template
            )


def test_damaged_specs(tmp_path):
    came = fuzz(times(150, 5000), 14, tmp_path)
    assert came["sound"] and came["refused"]


def test_damaged_specs_take_little_memory(tmp_path):
    """In a process of its own that may have 2 GiB of addresses."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom pathlib import"
        " Path\n"
    )
    code += (
        f"from test_spec_fuzz import fuzz\nprint(fuzz({times(100, 1000)}, 15,"
        f" Path({str(tmp_path)!r})))"
    )
    limit = (2 << 30, 2 << 30)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_specs_beside_the_others(tmp_path, kind):
    """References between specs: the whole catalog is read, as every command does."""
    rng, folder = random.Random(kind), tmp_path / "tasks"
    folder.mkdir()
    for _ in range(times(2, 40)):
        text = damaged(rng)
        (folder / "fuzz.yaml").write_bytes(
            re.sub(rb"^(task|suite|encoder|protocol): (\w)", rb"\1: fuzz-\2", text)
        )
        try:
            Catalog.load([folder])
        except SpecError as error:
            assert all(len(line) < 2500 for line in str(error).split("\n"))
        except HarnessError:
            pytest.fail("another error than SpecError")
