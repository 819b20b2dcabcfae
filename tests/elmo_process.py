"""Runs Python code in a new process, which knows nothing but the files that the test wrote."""

import os
import pathlib
import subprocess
import sys

from forked_python import run_code

ROOT = pathlib.Path(__file__).parents[1]


def run_python(code, folder, with_package=True):
    """Runs code in a folder and returns its output; without the package, elmo_tf and Keras cannot be imported.

    TensorFlow and Keras have been imported already, but nothing has been done with them.
    """
    if not with_package:
        code = "import sys\nsys.modules['elmo_tf'] = sys.modules['keras'] = None\n" + code
    done = run_code(code, folder=folder, environment={"PYTHONPATH": str(ROOT) if with_package else None})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def run_new_python(code, folder):
    """Runs code in a folder, in a process where nothing is imported yet, and returns its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
