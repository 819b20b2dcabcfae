"""The benchmark of recipes trains each setting once, goes on where it was, and writes a table."""

import json

import pytest
import tiny

from benchmarks import recipe
from elmo_tf.errors import InputError
from elmo_tf.options import LstmOptions


@pytest.fixture
def arguments(tmp_path):
    """A file of two settings, and the flags of a tiny run."""
    small = {"char_cnn": None, "lstm": LstmOptions(dim=6, projection_dim=6)}
    settings = tiny.settings(tmp_path, max_steps=2, **small)
    settings.options.write(tmp_path / "options.json")
    (tmp_path / "settings.txt").write_text(
        "# two settings\nparity:  # as it is\nadam-2e-3: --optimizer=adam --learning_rate=2e-3 --batch_size=2\n"
    )
    return recipe.define_flags().parse_args(
        [
            f"--settings={tmp_path / 'settings.txt'}", f"--output_dir={tmp_path / 'runs'}", "--",
            f"--options_file={tmp_path / 'options.json'}", f"--train_files={settings.train_files[0]}",
            f"--valid_files={settings.valid_files[0]}", f"--vocab_file={settings.vocab_file}", "--max_steps=2",
        ]
    )  # fmt: skip


def test_settings_are_trained_once_and_tabled(arguments, tmp_path, capsys, monkeypatch):
    values = recipe.main(arguments)
    (parity, adam) = values["settings"]
    assert (parity["name"], adam["name"]) == ("parity", "adam-2e-3")
    assert (parity["words_per_step"], adam["words_per_step"]) == (20, 10)
    assert [validation[0] for validation in parity["validations"]] == [2]
    kept = json.loads((tmp_path / "runs" / "adam-2e-3" / "options.json").read_text())
    assert kept["optimizer"] == "adam"
    header, rule, *rows = (tmp_path / "runs" / "table.md").read_text().splitlines()
    assert [row.split(" | ")[0] for row in rows] == ["| parity", "| adam-2e-3"]
    assert rows[1].split(" | ")[1:3] == ["2", "20"]
    assert header.count("|") == rule.count("|") == rows[0].count("|")
    capsys.readouterr()
    monkeypatch.setattr("elmo_tf.cli.main.main", lambda _: pytest.fail("it was trained again"))
    assert recipe.main(arguments) == values
    assert capsys.readouterr().out.split()[:2] == ["setting", "steps"]


def test_a_setting_that_cannot_be_trained_ends_the_script_in_a_sentence(arguments, tmp_path, capsys):
    (tmp_path / "settings.txt").write_text("bad: --nonsense=1\n")
    with pytest.raises(InputError, match=r"^bad: its training ended with exit code 2"):
        recipe.main(arguments)
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["--optimizer=adam", "two names: --optimizer=adam", "same:\nsame:"])
def test_a_line_without_a_new_name_is_refused(tmp_path, line):
    path = tmp_path / "settings.txt"
    path.write_text(f"{line}\n")
    with pytest.raises(InputError, match=r"settings.txt: line \d: expected a new name"):
        recipe.read_settings(str(path))
