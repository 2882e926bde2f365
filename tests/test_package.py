"""What somebody gets who installs the package: all that a checkout runs on, and nothing else; and
the files in which others read what we are (workflows, forms, compose.yaml, locks)."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

from harness.engines.process import cores

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
BUILTIN = list(WHEEL["force-include"])


def run(*command: str | Path, cwd: Path = ROOT, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, **more)


def python(*arguments: str | Path, **more) -> str:
    done = run(sys.executable, *arguments, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in Path(ROOT, folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """The sdist, and the wheel that is made of it alone."""
    folder = tmp_path_factory.mktemp("dist")
    python("-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    python("-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=unpacked)
    return folder


def test_a_wheel_has_the_code_and_the_specs_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    named = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    expected = files("harness")
    for folder in BUILTIN:
        expected |= {f"harness/builtin/{name}" for name in files(folder)}
    assert sorted(named) == sorted(expected)
    assert "harness/py.typed" in named


def test_an_installed_wheel_finds_the_specs_of_a_checkout(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    (tmp_path / "elsewhere").mkdir()
    more = {"cwd": tmp_path / "elsewhere", "env": {"PYTHONPATH": str(tmp_path / "installed")}}
    where = python("-c", "import harness; print(harness.__file__)", **more)
    assert Path(where.strip()).is_relative_to(tmp_path)
    assert python("-m", "harness", "validate", **more) == python("-m", "harness", "validate")


def test_an_sdist_has_no_tests_tools_or_releases(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {Path(*Path(name).parts[1:]) for name in archive.getnames()}
    assert {name.parts[0] for name in names} == {
        *(folder.split("/")[0] for folder in BUILTIN),
        "harness",
        "pyproject.toml",
        "requirements.lock",
        "requirements-torch.lock",
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
        "README.md",
        "PKG-INFO",
        ".gitignore",
    }
    assert not any(name.is_relative_to("leaderboard/releases") for name in names)


def test_the_index_would_take_both(dist):
    """The checks of PyPI's own tools, as `make dist` runs them."""
    tools = Path(sys.executable).parent
    built = [*dist.glob("*.tar.gz"), *dist.glob("*.whl")]
    for command in (
        [tools / "twine", "check", "--strict", *built],
        [tools / "check-wheel-contents", built[-1]],
    ):
        done = run(*command)
        assert done.returncode == 0, done.stdout


def test_a_tag_that_says_another_version_stops_a_release(tmp_path):
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text('"""a"""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("## Unreleased\n")

    def checked(tag: str) -> str:
        command = ["make", "--silent", "-f", ROOT / "Makefile", "tag-check", f"TAG={tag}"]
        return run(*command, cwd=tmp_path).stderr.splitlines()[:1]

    assert checked("v1.2.4") == ["the tag is v1.2.4, harness/__init__.py says 1.2.3"]
    assert checked("v1.2.3") == ["CHANGELOG.md has no section 1.2.3"]
    (tmp_path / "CHANGELOG.md").write_text("## Unreleased\n\n## 1.2.3\n")
    assert checked("v1.2.3") == []


def test_the_version_stands_in_one_place():
    import harness

    again = [
        path.name
        for path in ROOT.iterdir()
        if path.is_file()
        and path.suffix != ".lock"
        and re.search(rf"\b{re.escape(harness.__version__)}\b", path.read_text(errors="ignore"))
        and path.name not in ("CHANGELOG.md", "pyproject.toml")  # other packages have versions too
    ]
    assert again == [] and 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()


def test_cores_are_counted_where_the_system_ties_no_process_to_some(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()


# ---- locks


def locked(*parts: str) -> dict[str, str]:
    """The versions that lock files name, by package."""
    text = "".join((ROOT / f"requirements{part}.lock").read_text() for part in parts)
    return {name.lower(): at for name, at in re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.M)}


def test_the_locks_have_what_pyproject_asks_for():
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    asked = {
        ("", "-torch"): project["dependencies"] + extras["mini"] + extras["lora"],
        ("", "-torch", "-dev"): extras["docs"] + extras["dev"],
    }
    for parts, requirements in asked.items():
        there = locked(*parts)
        for requirement in map(Requirement, requirements):
            at = there.get(requirement.name.lower())
            assert at and at in requirement.specifier, f"{requirement}: {at}; run make lock"


def test_every_file_of_every_package_has_its_hash():
    for part in ("", "-torch", "-dev"):
        text = (ROOT / f"requirements{part}.lock").read_text()
        entries = re.split(r"\n(?=[\w])", text)[1:]
        assert entries and all("--hash=sha256:" in entry for entry in entries)


def test_a_run_brings_no_tools():
    assert not {"mypy", "playwright", "pytest", "ruff", "tensorboard", "torch"} & locked("").keys()


def test_the_makefile_and_the_image_install_the_torch_of_the_lock():
    (at,) = [
        line
        for line in (ROOT / "requirements-torch.lock").read_text().splitlines()
        if line.startswith("torch==")
    ]
    found = run("grep", "-o", "^torch==[0-9.]*", "requirements-torch.lock").stdout.strip()
    assert at.startswith(found) and version("torch").split("+")[0] == found.split("==")[1]
    for name in ("Makefile", "Dockerfile"):
        assert "grep -o '^torch==[0-9.]*'" in (ROOT / name).read_text()
    for page in ("Dockerfile", "docs/running.md"):
        said = re.findall(r"torch==([\d.]+\d)", (ROOT / page).read_text())
        assert said and set(said) == {version("torch").split("+")[0]}, page


# ---- what GitHub and Docker read


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("github-workflows", ".github/workflows/*.yml"),
        ("github-actions", ".github/actions/*/action.yml"),
        ("github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("compose-spec", "compose.yaml"),
        ("citation-file-format", "CITATION.cff"),
    ],
)
def test_files_for_others_have_their_form(schema, pattern):
    found = list(ROOT.glob(pattern))
    assert found
    python("-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *found)


def test_the_image_is_given_all_that_its_dockerfile_copies():
    """.dockerignore lets in each path that a COPY names; what pyproject.toml ships is copied."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {
        path.removesuffix("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, flags=re.M)
        for path in line.split()
    }
    let_in = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), flags=re.M))
    assert copied <= let_in
    assert {*BUILTIN, *WHEEL["packages"]} <= copied
