"""Every file of a model, damaged in every way: a command refuses it in one sentence, or does as without the damage."""

import dataclasses
import os
import random
import shutil

import pytest
from model_folders import BEST_STEP, LATEST_STEP, trained_folder
from reused_runs import one_model, result_of, resume, short

from elmo_tf.cli.main import main
from elmo_tf.errors import InputError
from elmo_tf.store.model_hashes import write_hashes
from elmo_tf.training.step import TrainStep

INDEX, DATA, DIGESTS = ".index", ".data-00000-of-00001", ".sha256"
BEST, LATEST = f"best/ckpt-{BEST_STEP}", f"latest/ckpt-{LATEST_STEP}"


def overwrite(change):
    """Makes a damage that changes the bytes of a file."""

    def damage(path):
        path.write_bytes(change(path.read_bytes()))

    return damage


def flip(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


def folder_instead(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "cut": overwrite(lambda content: content[: len(content) // 2]),
    "empty": overwrite(lambda content: b""),
    "zeros": overwrite(lambda content: bytes(len(content))),
    "a bit": overwrite(flip),
    "longer": overwrite(lambda content: content + b"\0"),
    "other bytes": overwrite(lambda content: random.Random(1).randbytes(len(content))),
    "gone": lambda path: path.unlink(),
    "a folder": folder_instead,
}
"""The damages: each changes one file."""

REFUSED, SAME = "refused", "same"

EXPECTED = {
    BEST + INDEX: REFUSED,
    BEST + DATA: REFUSED,
    BEST + DIGESTS: SAME,  # without readable digests, TensorFlow's own checksums decide
    "best/checkpoint": SAME,
    LATEST + INDEX: SAME,
    LATEST + DATA: SAME,
    LATEST + DIGESTS: SAME,
    "latest/checkpoint": SAME,
    "options.json": REFUSED,
    # a model that reads characters needs its words for some commands alone
    "vocab.txt": {"gone": "other", "a folder": "other", "any other": REFUSED},
    # without it nothing is checked, as with the models of other programs
    "model.sha256": {"gone": SAME, "any other": REFUSED},
}
"""What a command that loads the best checkpoint does when a file is damaged."""

COMMANDS = {
    "inspect": "inspect --model_dir=model",
    "evaluate": "evaluate --model_dir=model --test_files=text.txt",
    "embed": "embed --model_dir=model --input_file=text.txt --output_file=- --output_format=txt",
    "score": "score --model_dir=model --input_file=text.txt",
    "convert": "convert --model_dir=model --output_dir=converted",
}


def expected(file, damage):
    found = EXPECTED[file]
    return found if isinstance(found, str) else found.get(damage, found["any other"])


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("the cat sat on the mat .\nøl zebra\n")
    trained_folder(tmp_path / "model")
    write_hashes(str(tmp_path / "model"))
    return tmp_path / "model"


def run(capfd, command):
    """The exit code of a command, what it prints, and its messages; `convert` also gives the bytes that it writes."""
    code = main(COMMANDS[command].split())
    written = ""
    if os.path.isdir("converted"):
        written = {name: open(f"converted/{name}", "rb").read() for name in sorted(os.listdir("converted"))}  # noqa: SIM115
        shutil.rmtree("converted")
    captured = capfd.readouterr()
    return code, (captured.out, written), captured.err


def check_all(capfd, model, command, damages=DAMAGES):
    """Damages every file in every way; returns how many damages were tried, and the unexpected outcomes."""
    _, good, _ = run(capfd, command)
    trained = model.parent / "good"
    shutil.copytree(model, trained)
    wrong, tried = [], 0
    for file in EXPECTED:
        for name, damage in damages.items():
            damage(model / file)
            tried += 1
            try:
                code, output, said = run(capfd, command)
            except Exception as error:  # a traceback is what this test looks for
                wrong.append((file, name, repr(error)))
            else:
                is_refusal = code == 1 and said.startswith(f"elmo-tf {command}: ") and said.count("\n") == 1
                outcome = REFUSED if is_refusal else SAME if (code, output) == (0, good) else f"{code} {said}"
                if expected(file, name) not in (outcome, "other") or (code and not is_refusal):
                    wrong.append((file, name, outcome))
            shutil.rmtree(model)
            shutil.copytree(trained, model)
    print(f"{command}: {tried} damages, {len(wrong)} unexpected outcomes")
    return tried, wrong


def test_inspect_refuses_every_damage_or_does_as_without_it(model, capfd):
    tried, wrong = check_all(capfd, model, "inspect")
    assert tried == len(EXPECTED) * len(DAMAGES)
    assert wrong == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "inspect"])
def test_every_command_refuses_every_damage_or_does_as_without_it(model, capfd, command):
    assert check_all(capfd, model, command)[1] == []


@pytest.mark.exhaustive
def test_no_single_bit_of_a_model_changes_what_is_computed_without_a_word(model, capfd):
    _, good, _ = run(capfd, "convert")
    chosen, accepted = random.Random(2), []
    files = [file for file in EXPECTED if file != "model.sha256"]
    for _ in range(200):
        path = model / chosen.choice(files)
        content = path.read_bytes()
        bit = chosen.randrange(8 * len(content))
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        code, output, said = run(capfd, "convert")
        if not (code == 1 and said.count("\n") == 1) and (code, output) != (0, good):
            accepted.append((path.name, bit, code, said))
        path.write_bytes(content)
    assert accepted == []


class KilledError(BaseException):
    """A kill, after which the process does nothing more."""


def killed_at(last):
    """A training step that kills the process after so many steps."""
    real = TrainStep.__call__

    def take_step(self, step, *arguments):
        if step == last:
            raise KilledError
        return real(self, step, *arguments)

    return take_step


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """The folder of a run that was broken off, the settings to go on with, and the unbroken result."""
    folder = tmp_path_factory.mktemp("broken_off")
    unbroken = short(folder, model="unbroken")
    with one_model():
        resume(unbroken)
        broken = dataclasses.replace(unbroken, model_dir=str(folder / "broken"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TrainStep, "__call__", killed_at(5))
            with pytest.raises(KilledError):
                resume(broken)
        yield broken, result_of(unbroken.model_dir)


def files_of(folder):
    for inside, _, names in os.walk(folder):
        for name in sorted(names):
            if "tensorboard" not in inside:
                yield os.path.relpath(os.path.join(inside, name), folder)


def check_run(broken_off, folder, damages):
    """Damages every file of the run in some ways, and goes on with it; returns the unexpected outcomes."""
    settings, good = broken_off
    wrong, tried, refusals = [], 0, 0
    for file in sorted(files_of(settings.model_dir)):
        for name, damage in damages.items():
            copy = folder / "copy"
            shutil.copytree(settings.model_dir, copy)
            damage(copy / file)
            tried += 1
            try:
                lines = resume(dataclasses.replace(settings, model_dir=str(copy)))
            except InputError as error:
                refusals += 1
                # a folder where a file is to be written is in the way
                if name != "a folder" and file not in ("options.json", "vocab.txt", "model.sha256", "log.csv"):
                    wrong.append((file, name, str(error)))
            else:
                found = result_of(copy)
                different = {key for key in good if found.get(key) != good[key]}
                # the log cannot be made again; lost best weights are searched for anew, which is said
                said = file == "log.csv" and different == {"log"}
                said = said or (file.startswith("best/") and any("are lost: the next" in line for line in lines))
                if different and not said:
                    wrong.append((file, name, sorted(map(str, different))))
            shutil.rmtree(copy)
    print(f"train: {tried} damages, {refusals} refused, {len(wrong)} unexpected outcomes")
    return wrong


def test_a_run_with_any_file_damaged_ends_as_the_unbroken_one_or_says_what_it_lacks(broken_off, tmp_path):
    assert check_run(broken_off, tmp_path, {name: DAMAGES[name] for name in ("a bit", "gone")}) == []


@pytest.mark.exhaustive
def test_a_run_with_any_file_damaged_in_any_way_ends_as_the_unbroken_one_or_says_what_it_lacks(broken_off, tmp_path):
    assert check_run(broken_off, tmp_path, DAMAGES) == []
