"""Runs Python code in a new process, which knows nothing but the files that the test wrote."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def run_python(code, folder, with_package=True):
    """Runs code in a folder and returns its output; without the package, elmo_tf and Keras cannot be imported."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if with_package:
        environment["PYTHONPATH"] = str(ROOT)
    else:
        code = "import sys\nsys.modules['elmo_tf'] = sys.modules['keras'] = None\n" + code
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
