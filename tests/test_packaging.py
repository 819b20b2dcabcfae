"""The package as others get it: wheel, source distribution and extras; and the files about the project."""

import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import oldest_versions
import pytest

from elmo_tf.version import __version__

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = {str(path.relative_to(ROOT)) for path in (ROOT / "elmo_tf").rglob("*.py")} | {"elmo_tf/py.typed"}
WORKFLOW = ROOT / ".github" / "workflows" / "test.yml"


def build(kind, source, target):
    """Builds a wheel or a source distribution without a network; returns its path."""
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)
    return target / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A source distribution of a copy of the checkout, and a wheel of what the distribution holds."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("packages")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "demo", "shared", "site")
    shutil.copytree(ROOT, folder / "checkout", ignore=ignored)
    archive = build("sdist", folder / "checkout", folder)
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return archive, unpacked, build("wheel", unpacked, folder)


@pytest.mark.exhaustive
def test_the_source_distribution_holds_what_a_clone_holds(packages):
    archive, unpacked, _ = packages
    assert archive.name == f"elmo_tf-{__version__}.tar.gz"
    held = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert held >= PACKAGE
    assert held >= {
        str(path.relative_to(ROOT))
        for name in ("configs", "docs", "examples", "tests")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held >= {"Makefile", "LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "mkdocs.yml", "train.py"}


@pytest.mark.exhaustive
def test_the_wheel_holds_the_package_and_nothing_else(packages):
    with zipfile.ZipFile(packages[2]) as wheel:
        names = wheel.namelist()
    meta = [name for name in names if ".dist-info/" in name]
    assert set(names) - set(meta) == PACKAGE
    assert any(name.endswith("/LICENSE") for name in meta)


@pytest.mark.exhaustive
def test_the_wheel_works_in_an_environment_of_its_own(packages, tmp_path):
    """The environment has nothing of the checkout; the dependencies alone come from the one that runs the tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = ["pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(packages[2])]
    subprocess.run([sys.executable, "-m", *install], check=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    program = str(tmp_path / "venv" / "bin" / "elmo-tf")
    assert run(program, "--version") == f"{__version__}\n"
    assert run(str(python), "-c", "import elmo_tf; print(elmo_tf.__file__)").startswith(str(site))
    (tmp_path / "text.txt").write_text("the cat sat\n" * 20)
    run(program, "vocab", "--train_files=text.txt", "--vocab_file=vocab.txt")
    code = (
        "import elmo_tf; bilm = elmo_tf.BiLM({'lstm': {'dim': 8, 'projection_dim': 4}, 'n_tokens_vocab': 6});"
        "print(bilm([[0, 3, 1]])[0].shape)"
    )
    assert run(str(python), "-c", code) == "(1, 2, 3, 8)\n"


# The files about the project


def test_the_oldest_versions_are_the_lower_ends_of_the_ranges():
    setup = "[options]\ninstall_requires =\n    a>=2.21,<2.22\n    b-c>=21,<27\n[options.extras_require]\nx =\n"
    setup += "    elmo_tf[y]\n    torch==2.13.0\n    d>=0.5,<1\n"
    assert oldest_versions.constraints(setup) == ["a==2.21.*", "b-c==21.*", "d==0.5.*"]
    found = oldest_versions.constraints((ROOT / "setup.cfg").read_text(encoding="utf-8"))
    assert len(found) > 15
    assert any(line.startswith("tensorflow==") for line in found)


def test_every_extra_but_ray_and_those_of_developers_is_installed_for_the_tests():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    reached, names = set(), {"test"}
    while names:
        reached |= names
        inner = {
            other
            for name in names
            for listed in re.findall(r"elmo_tf\[([\w,]+)\]", extras[name])
            for other in listed.split(",")
        }
        names = inner - reached
    assert set(extras) - reached == {"docs", "fuzz", "interop", "notebook", "ray"}


def test_the_citation_and_the_changes_name_the_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_workflow_runs_targets_of_the_makefile_on_every_python_that_is_promised():
    text, makefile = WORKFLOW.read_text(encoding="utf-8"), (ROOT / "Makefile").read_text(encoding="utf-8")
    runs = re.findall(r"(?m)^ +- run: (.*)$", text)
    assert runs
    for words in map(str.split, runs):
        assert words[0] == "make"
        assert re.search(rf"(?m)^{words[1]}:", makefile), words[1]
        for name in [word.split("=")[0] for word in words[2:]]:
            assert re.search(rf"(?m)^{name} \?=", makefile), name
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)", setup)
    assert re.search(r"python: \[(.*)\]", text)[1] == ", ".join(f'"{version}"' for version in promised)
