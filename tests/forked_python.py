"""Runs Python in processes that begin where TensorFlow has been imported, which takes a new process many seconds.

A server process imports TensorFlow, starts nothing of it, and is forked for each run. A forked process can be killed
and waited for like any other.
"""

import atexit
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

SERVER = """
import json, os, runpy, sys, time, traceback
import h5py, keras, numpy, tensorflow

def run(request):
    for number, path in ((1, request["stdout"]), (2, request["stderr"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = request["command"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    sys.path[1:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0

def start(request):
    child = os.fork()
    if not child:
        code = run(request)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return child

def wait(request):
    deadline = time.monotonic() + request["seconds"]
    while True:
        ended, status = os.waitpid(request["pid"], os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.01)

for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps((wait if "pid" in request else start)(request)), flush=True)
"""


@functools.cache
def _server() -> subprocess.Popen[str]:
    """The process that every run is forked from; it ends with this one."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    atexit.register(server.stdin.close)
    return server


def _ask(request):
    server = _server()
    print(json.dumps(request), file=server.stdin, flush=True)
    return json.loads(server.stdout.readline())


class ForkedPython:
    """A running script, which is given its output in files.

    Args:
        path: the script.
        arguments: what it finds in `sys.argv`.
        environment: variables beside those of this process; None removes one.
        folder: its working folder; that of this process if left out.
    """

    def __init__(self, path, *arguments, environment=None, folder=None):
        self.command = [str(path), *map(str, arguments)]
        self._files = tempfile.TemporaryDirectory()
        variables = {**os.environ, **(environment or {})}
        self._request = {
            "command": self.command,
            "environment": {name: value for name, value in variables.items() if value is not None},
            "stdout": os.path.join(self._files.name, "stdout"),
            "stderr": os.path.join(self._files.name, "stderr"),
            "folder": str(folder or os.getcwd()),
        }
        self.pid = _ask(self._request)

    def output(self, name="stdout"):
        """What the script has written so far to `stdout` or `stderr`."""
        path = pathlib.Path(self._request[name])
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, seconds=900):
        """Waits for its end; returns what `subprocess.run` would. A script that takes longer is killed."""
        code = _ask({"pid": self.pid, "seconds": seconds})
        if code is None:
            self.send_signal(signal.SIGKILL)
            _ask({"pid": self.pid, "seconds": 60})
            raise subprocess.TimeoutExpired(self.command, seconds)
        done = subprocess.CompletedProcess(self.command, code, self.output("stdout"), self.output("stderr"))
        self._files.cleanup()
        return done


def wait_until(condition, seconds=240):
    """Waits until a condition holds, or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def run_script(path, *arguments, environment=None):
    """What `python path arguments...` returns and writes, as `subprocess.run` gives it."""
    return ForkedPython(path, *arguments, environment=environment).wait()


def run_code(code, *arguments, environment=None, folder=None):
    """What `python -c code arguments...` returns and writes, as `subprocess.run` gives it."""
    with tempfile.TemporaryDirectory() as place:
        script = pathlib.Path(place) / "code.py"
        script.write_text(code, encoding="utf-8")
        return ForkedPython(script, *arguments, environment=environment, folder=folder).wait()
