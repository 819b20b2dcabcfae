"""Runs Python code in a new process, which knows nothing but the files that the test wrote."""

import pathlib

from forked_python import run_code

ROOT = pathlib.Path(__file__).parents[1]


def run_python(code, folder, with_package=True):
    """Runs code in a folder and returns its output; without the package, elmo_tf and Keras cannot be imported."""
    if not with_package:
        code = "import sys\nsys.modules['elmo_tf'] = sys.modules['keras'] = None\n" + code
    done = run_code(code, folder=folder, environment={"PYTHONPATH": str(ROOT) if with_package else None})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
