"""The benchmark of the conversion runs, and its last line has the values that its help describes."""

import json
import pathlib
import subprocess
import sys

from elmo_tf.options import Options

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "convert.py"


def test_the_last_line_is_json_with_the_promised_figures(tmp_path):
    values = {
        "lstm": {"dim": 8, "projection_dim": 4},
        "char_cnn": {"activation": "relu", "embedding": {"dim": 4}, "filters": [[1, 8]]},
    }
    Options.from_dict(values).write(str(tmp_path / "options.json"))
    command = [sys.executable, str(SCRIPT), f"--options_file={tmp_path}/options.json", "--repeats=1"]
    done = subprocess.run([*command, f"--work_dir={tmp_path}"], capture_output=True, text=True, timeout=600, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    names = ("copy_seconds", "convert_seconds", "time_ratio", "minimum_ratio", "first_convert_seconds")
    names += ("peak_memory_bytes", "memory_ratio")
    assert tuple(found) == names
    assert found["convert_seconds"] == found["first_convert_seconds"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["options.json"]


def test_the_help_says_what_is_measured():
    done = subprocess.run([sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True, check=True)
    assert "memory_ratio" in done.stdout
    assert "--repeats" in done.stdout
