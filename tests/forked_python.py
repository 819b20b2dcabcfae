"""Runs scripts in processes that begin where TensorFlow has been imported, which takes a new process many seconds."""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile

SERVER = """
import json, os, runpy, sys, traceback
import h5py, keras, numpy, tensorflow

def run(request):
    for number, path in ((1, request["stdout"]), (2, request["stderr"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    sys.path[1:1] = os.environ.get("PYTHONPATH", "").split(os.pathsep)
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

for line in sys.stdin:
    child = os.fork()
    if not child:
        code = run(json.loads(line))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@functools.cache
def _server():
    """The process that every script is forked from; it ends with this one."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    atexit.register(server.stdin.close)
    return server


def run_script(path, *arguments, environment=None):
    """What `python path arguments...` returns and writes, as `subprocess.run` gives it."""
    command = [str(path), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        request = {
            "command": command,
            "environment": {**os.environ, **(environment or {})},
            "stdout": os.path.join(folder, "stdout"),
            "stderr": os.path.join(folder, "stderr"),
        }
        server = _server()
        print(json.dumps(request), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        written = []
        for name in ("stdout", "stderr"):
            with open(request[name], encoding="utf-8") as file:
                written.append(file.read())
    return subprocess.CompletedProcess(command, code, *written)
