"""The README and the pages of docs/ are true: code runs, commands have their flags, links and names lead somewhere."""

import argparse
import ast
import configparser
import importlib
import pathlib
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from typing import NamedTuple

import h5py
import interop_models
import keras
import manylangs_models
import numpy as np
import pytest
import tensorflow as tf
import test_architecture
import tiny
from hdf5_files import write_arrays
from model_cases import CHARACTERS, changed
from model_folders import trained_folder

import elmo_tf
from elmo_tf.cli.flags import FlagSet
from elmo_tf.cli.main import COMMANDS
from elmo_tf.models.bilm import BiLM
from elmo_tf.models.weight_names import named_variables
from elmo_tf.training.cluster import find_cluster

ROOT = pathlib.Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
}
ARCHITECTURE = PAGES["docs/architecture.md"]
HEADS = {path.name: path.read_text() for path in sorted((ROOT / "configs").rglob("*.flags"))}
FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    language: str
    text: str

    @property
    def name(self):
        """How a test that the block is a parameter of is called: the page and the block's first line."""
        return f"{self.page}: {self.text.splitlines()[0]}"


BLOCKS = [Block(page, *found) for page, content in PAGES.items() for found in FENCED.findall(content)]
PROSE = {page: FENCED.sub("", content) for page, content in PAGES.items()}


def blocks(language):
    return [block for block in BLOCKS if block.language == language]


def parameters(found):
    return [pytest.param(block, id=block.name) for block in found]


# Every block


def test_every_block_is_of_a_language_that_is_tested():
    assert {block.language for block in BLOCKS} == {"python", "py", "sh", "text"}
    for page, content in PAGES.items():
        assert len(re.findall(r"(?m)^ *```", content)) == 2 * sum(block.page == page for block in BLOCKS), page


def test_text_blocks_are_the_output_of_examples_and_the_diagram():
    assert {block.page for block in blocks("text")} == {"docs/examples.md", "docs/architecture.md"}


def test_nothing_is_left_to_be_filled_in():
    for page, content in PAGES.items():
        assert not re.findall(r"\bX+[.,%]?X|^[A-Z]+$|TODO", content, re.MULTILINE), page


# Shell


def shell_lines():
    """The command lines of all pages and of the heads of the configurations, each as words."""
    heads = [re.sub(r"(?m)^# ?", "", head) for head in HEADS.values()]
    in_heads = [line for head in heads for line in joined(head) if line.startswith(("elmo-tf ", "python "))]
    return [shlex.split(line) for block in blocks("sh") for line in joined(block.text)] + [*map(shlex.split, in_heads)]


def joined(text):
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def shell_parameters(found):
    return [pytest.param(words, id=" ".join(words)) for words in found]


def command_of(words):
    """The command or the example that a line runs; None for another program."""
    if words[0] == "elmo-tf":
        return words[1]
    scripts = {"train.py": "train", "evaluate.py": "evaluate"}
    if words[0] == "python":
        return scripts.get(words[1], words[1] if words[1].startswith("examples/") else None)
    return None


COMMAND_LINES = [words for words in shell_lines() if command_of(words)]
BENCHMARK_LINES = [words for words in shell_lines() if words[0] == "python" and words[1].startswith("benchmarks/")]
OTHER_LINES = [words for words in shell_lines() if words not in COMMAND_LINES and words not in BENCHMARK_LINES]


def flags_of(command):
    flag_set = FlagSet()
    example = re.fullmatch(r"examples/(\w+)\.py", command)
    assert example or command in COMMANDS, command
    importlib.import_module(example[1] if example else f"elmo_tf.cli.{command}").define_flags(flag_set)
    return flag_set


@pytest.mark.parametrize("words", shell_parameters(COMMAND_LINES))
def test_a_command_has_the_flags_that_it_is_shown_with(words):
    command, arguments = command_of(words), words[2:]
    flag_set = flags_of(command)
    assert flag_set.values([command, *[a for a in arguments if not a.startswith("--flagfile")]]) == [command]
    for name in set(flag_set.required) - {"options_file"}:
        assert flag_set.values[name].value, name
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        assert name != "flagfile" or (ROOT / value).is_file(), argument


def test_every_command_is_shown():
    assert {command_of(words) for words in COMMAND_LINES if words[1].startswith("examples/") is False} == set(COMMANDS)


def test_every_example_is_shown():
    scripts = {f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py") if "__main__" in path.read_text()}
    assert {words[1] for words in COMMAND_LINES if words[1].startswith("examples/")} == scripts


def test_every_benchmark_is_shown_and_described():
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text()}
    assert {pathlib.Path(words[1]).stem for words in BENCHMARK_LINES} == scripts
    assert set(re.findall(r"(?m)^\| `(\w+)\.py` \|", PAGES["docs/performance.md"])) == scripts


class FlagsAreRead(Exception):  # noqa: N818 - it ends a script where its work would begin
    pass


@pytest.mark.parametrize("words", shell_parameters(BENCHMARK_LINES))
def test_a_benchmark_has_the_flags_that_it_is_shown_with(words, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parse_and_end(parser):
        parse(parser)
        raise FlagsAreRead

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_end)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", words[1:])
    with pytest.raises(FlagsAreRead):
        runpy.run_path(str(ROOT / words[1]), run_name="__main__")


def extras():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return set(setup["options.extras_require"])


@pytest.mark.parametrize("words", shell_parameters(OTHER_LINES))
def test_the_arguments_of_other_programs_exist(words, monkeypatch):
    """`make` a target and variables of the Makefile, `pip` extras of setup.cfg, `export` the cluster of a page; nothing
    else that is not known."""
    makefile = (ROOT / "Makefile").read_text()
    if words[0] == "make":
        assert re.search(rf"(?m)^{words[1]}:", makefile), words[1]
        for name in [word.split("=")[0] for word in words[2:]]:
            assert re.search(rf"(?m)^{name} \?=", makefile), name
    elif words[:2] == ["pip", "install"]:
        assert {extra for word in words[2:] for extra in re.findall(r"\[(\w+)\]", word)} <= extras()
    elif words[0] == "export":
        name, _, value = words[1].partition("=")
        monkeypatch.setenv(name, value)
        assert find_cluster().jobs == {"worker": ["localhost:2222", "localhost:2223"]}
    else:
        assert words in (["source", ".venv/bin/activate"], ["tensorboard", "--logdir=model/tensorboard"])


def test_extras_named_in_the_prose_exist():
    named = {extra for text in PROSE.values() for extra in re.findall(r"pip install [^`]*\[(\w+)\]", text)}
    assert named
    assert named <= extras()


def test_flags_named_in_the_prose_exist():
    examples = [f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py") if "__main__" in path.read_text()]
    known = {"help", "flagfile", "version"} | {
        name for command in [*COMMANDS, *examples] for name in flags_of(command).values
    }
    for path in (ROOT / "benchmarks").glob("*.py"):
        known |= set(re.findall(r'add_argument\(\s*"--(\w+)"', path.read_text()))
    for page, text in PROSE.items():
        for code in re.findall(r"`([^`]+)`", text):
            for name in re.findall(r"(?<!\S)--(\w+)", code):
                assert name in known or name.removeprefix("no") in known, f"{page}: `{code}`"


# Python


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A folder with what the pages' Python code reads: models, vectors, and a published model in the cache."""
    options = tiny.options()
    bilm = BiLM(options)
    bilm.build()
    arrays = {name: np.asarray(variable) for name, variable in named_variables(bilm).items()}
    write_arrays(str(tmp_path / "hdf5" / "weights.hdf5"), arrays)
    options.write(str(tmp_path / "hdf5" / "options.json"))
    shutil.copytree(tmp_path / "hdf5", tmp_path / "cache" / "medium")
    (tmp_path / "vectors.txt").write_text("the 1 2 3\ncat 4 5 6\n")
    with h5py.File(tmp_path / "embeddings.hdf5", "w") as file:
        file["0"] = np.zeros((3, 4, 12), np.float32)
    for name in ("corpus", "held"):
        (tmp_path / name).mkdir()
    settings = tiny.settings(tmp_path)  # train.txt, held.txt and vocab.txt, which the pages have by other names
    settings.options.write(str(tmp_path / "options.json"))
    (tmp_path / "train.txt").rename(tmp_path / "corpus" / "train.txt")
    shutil.copyfile(tmp_path / "held.txt", tmp_path / "test.txt")
    (tmp_path / "held.txt").rename(tmp_path / "held" / "held.txt")
    monkeypatch.setenv("ELMO_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    trained_folder(tmp_path / "model", best=False)
    manylangs_models.write_model(tmp_path / "french.model", manylangs_models.random_model())
    return tmp_path


def check_found(found, prints, printed, folder):
    """Compares what a block made with what its comments say."""
    if "layers" in found:
        assert found["layers"].shape == (1, 3, 4, 32)
    elif "tagger" in found:
        assert found["tagger"](found["sentences"]).shape == (2, 4, 17)
        if prints:  # the weight of each layer in the mix
            shares = [float(number) for number in re.findall(r"\d+\.\d*(?:e-?\d+)?", printed)]
            assert len(shares) == 3
            assert sum(shares) == pytest.approx(1, abs=1e-6)
        assert (folder / "served" / "saved_model.pb").exists()
    elif "Alert" in found:
        assert issubclass(found["Alert"], keras.callbacks.Callback)
    elif "settings" in found:
        assert found["result"].finished
        assert found["perplexity"].mean == pytest.approx(found["result"].best_perplexity, rel=1e-5)
        assert f"{found['result'].steps} {found['result'].best_perplexity}" in printed
        assert "weights.hdf5" in printed
    elif "history" in found:
        assert len(found["history"].history["val_perplexity"]) == 1
    elif "probabilities" in found:
        assert found["tokens_of"](tf.constant(["Dull, no!"])).numpy().tolist() == [[b"Dull", b",", b"no", b"!"]]
        assert found["probabilities"].shape == (1, 1)
    elif "outputs" in found:
        assert printed == "(2, 6, 12) (2, 12)"
    elif "static" in found:
        assert found["vectors"].shape == (None, None, 12 + 3)
    elif "score" in found:
        assert len(printed.splitlines()) == 2
    elif "substitutes" in found:
        assert len(found["substitutes"]) == 3
        assert printed == str([one.word for one in found["substitutes"]])
    elif "folder" in found:
        assert {path.name for path in pathlib.Path(found["folder"]).iterdir()} == {"options.json", "weights.hdf5"}
    else:
        assert printed == "(3, 4, 12)"


@pytest.mark.parametrize("block", parameters(blocks("python")))
def test_the_python_runs(block, beside, capsys):
    found: dict = {}
    exec(compile(block.text, block.page, "exec"), found)
    check_found(found, "print(" in block.text, capsys.readouterr().out.strip(), beside)
    assert ("tagger.save(" in block.text) == (beside / "tagger.keras").exists()


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("py")}))
def test_the_pytorch_code_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    """AllenNLP's module is taken from the package that a comment of the block names."""
    interop_models.need("torch", "simple_elmo_pytorch", "safetensors")
    options = changed(CHARACTERS, cnn_max_characters_per_token=50, lstm_dim=24, lstm_projection_dim=7)
    interop_models.exported(tmp_path, options, from_checkpoint=True)
    code = "\n".join(block.text for block in blocks("py") if block.page == page)
    code = code.replace("from allennlp.modules.elmo", "from simple_elmo_pytorch.models.elmo")
    code += "\nprint(*layers.shape, *vectors.shape)"
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'examples' / 'pytorch')!r})\n"
    result = subprocess.run(
        [sys.executable, "-c", path + code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["2", "3", "4", "14", "2", "4", "14"]
    assert ("save_file" in code) == (tmp_path / "tuned" / "model.safetensors").exists()


# Links


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.*)$", PROSE[page])
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings_that_exist(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", PROSE[page]):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert target.exists(), f"{page} links to {link}: there is no such file"
        if anchor:
            assert anchor in anchors(str(target.relative_to(ROOT))), f"{page} links to {link}: there is no such heading"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_linked_from_the_readme_and_from_the_index(page):
    if page not in ("README.md", "docs/README.md"):
        assert f"]({page})" in PAGES["README.md"]
        assert f"]({pathlib.Path(page).name})" in PAGES["docs/README.md"] or not page.startswith("docs/")


# The site


def test_the_site_has_every_page_and_no_link_that_leads_out_of_it():
    hooks = runpy.run_path(str(ROOT / "docs" / "site_hooks.py"))
    assert {f"docs/{name}" for name in hooks["pages"]()} == {page for page in PAGES if page.startswith("docs/")}
    for page, text in PAGES.items():
        if page.startswith("docs/"):
            assert "](../" not in hooks["on_page_markdown"](text), page
    assert hooks["on_page_markdown"]("see [`configs/`](../configs), [a](b.md#c)") == "see `configs/`, [a](b.md#c)"


@pytest.mark.exhaustive
def test_the_site_is_built_without_a_warning(tmp_path):
    for name in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(name)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "reference" / "index.html").read_text(encoding="utf-8")
    assert all(f'id="{elmo_tf._HOMES[name]}.{name}"' in page for name in ("ElmoLayer", "train", "load_bilm"))
    assert (tmp_path / "site" / "images" / "model.svg").exists()


def test_the_reference_has_every_public_name_at_its_home():
    named = re.findall(r"(?m)^::: (elmo_tf[\w.]*)\.(\w+)$", PAGES["docs/reference.md"])
    assert sorted(name for _, name in named) == sorted(elmo_tf._HOMES)
    for module, name in named:
        public = getattr(elmo_tf, name)
        assert getattr(importlib.import_module(module), name) is public
        assert getattr(public, "__module__", module) == module  # a public module has none


def messages_of_the_package():
    """The texts in the source of the package, with three dots for what is filled in."""
    for path in (ROOT / "elmo_tf").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "..." for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_symptoms_of_the_troubleshooting_page_are_messages_of_the_package():
    messages = "\n".join(messages_of_the_package())
    rows = re.findall(r"(?m)^\| (.*?) \| ", PAGES["docs/troubleshooting.md"])
    symptoms = [found for row in rows for found in re.findall(r"`([^`]+ [^`]+)`", row)]
    assert len(symptoms) > 10
    for symptom in symptoms:
        assert symptom in messages or symptom.startswith("elmo-tf "), symptom


# The architecture page


def diagram():
    """The paths of the diagram in docs/architecture.md and what it says of each; a folder's path ends with a slash."""
    entries, above = {}, []
    for line in next(block.text for block in blocks("text") if block.page == "docs/architecture.md").splitlines():
        indent, name, phrase = re.fullmatch(r"( *)(\S+) *(.*)", line).groups()
        above[len(indent) // 2 :] = [name]
        path = "".join(above)
        assert path not in entries, f"{path} is twice in the diagram of docs/architecture.md"
        entries[path] = phrase
    return entries


def tree():
    """The package's modules and folders. A folder's `__init__.py` is no module of its own."""
    package = ROOT / "elmo_tf"
    modules = [path for path in package.rglob("*.py") if path.name != "__init__.py" or path.parent == package]
    folders = {path.parent for path in modules}
    return {str(path.relative_to(ROOT)) for path in modules} | {f"{path.relative_to(ROOT)}/" for path in folders}


def test_the_diagram_has_every_folder_and_module_and_no_other():
    shown = {path for path in diagram() if path.startswith("elmo_tf/")}
    missing, extra = sorted(tree() - shown), sorted(shown - tree())
    assert not missing, f"the diagram of docs/architecture.md lacks {', '.join(missing)}: add a line for each"
    assert not extra, f"the diagram of docs/architecture.md shows {', '.join(extra)}, which do not exist"


def test_everything_in_the_diagram_exists_and_is_described():
    for path, phrase in diagram().items():
        assert (ROOT / path).exists(), f"{path} is in the diagram of docs/architecture.md and does not exist"
        assert phrase or path == "elmo_tf/", f"{path} has no description in the diagram of docs/architecture.md"


def test_the_diagram_has_the_floors_that_imports_are_checked_by():
    for path, phrase in diagram().items():
        folder = re.fullmatch(r"elmo_tf/(\w+)/", path)
        if folder:
            floor = test_architecture.HEIGHTS[folder[1]] + 1
            assert phrase.startswith(f"floor {floor}:"), f"{path} stands on floor {floor}, the diagram says {phrase}"


def places():
    """Files and names in the second column of the table under "Where to find things"."""
    section = ARCHITECTURE.split("## Where to find things")[1].split("\n## ")[0]
    for row in re.findall(r"(?m)^\| (?!what |---)(.*) \|$", section):
        question, answer = row.split(" | ")
        found = re.findall(r"`(elmo_tf/[\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", answer)
        assert found, f"no file and name for: {question}"
        for file, names in found:
            yield question, file, re.findall(r"\w+", names)


def test_the_places_on_the_architecture_page_exist():
    assert len({question for question, _, _ in places()}) >= 15
    for question, file, names in places():
        assert (ROOT / file).is_file(), f"{question}: there is no {file}"
        for name in names:
            pattern = rf"(?m)^ *(?:def|class) {name}\b|^{name}\b.*="
            assert re.search(pattern, (ROOT / file).read_text()), f"{question}: {file} defines no {name}"


def test_modules_named_in_backticks_exist():
    for page, text in PROSE.items():
        for file in re.findall(r"`((?:elmo_tf|tests|configs|examples|benchmarks)/[\w./]*)`", text):
            assert (ROOT / file).exists(), f"{page}: {file}"
