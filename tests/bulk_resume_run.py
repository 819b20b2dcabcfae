"""A process that embeds in processes of its own and kills them: `python resume_run.py MODEL TEXT FOLDER FORMAT KILLS`.

Prints how many were killed before the output was there. It forks before TensorFlow has started any thread, so that
TensorFlow is imported once.
"""

import os
import pathlib
import random
import signal
import sys
import time

from elmo_tf.bulk.embed_file import embed_file

BLOCK_BYTES = 40


def started(arguments):
    """The number of a new process that embeds."""
    process = os.fork()
    if not process:
        try:
            embed_file(*arguments[:3], output_format=arguments[3], block_bytes=BLOCK_BYTES)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return process


def finished(parts):
    """How many parts are finished."""
    return len(list(parts.glob("*-lines.*"))) if parts.is_dir() else 0


def killed(arguments, parts, further, delay):
    """Whether a run was killed `delay` seconds after it had finished some `further` parts."""
    before = finished(parts)
    process = started(arguments)
    while finished(parts) < before + further:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(process, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def main(model, text, folder, output_format, kills):
    """Kills `kills` runs at random moments, then lets one end; where one ends too soon it starts over."""
    chance = random.Random(int(kills))
    output = pathlib.Path(folder) / "out"
    parts = output.with_name("out.parts")
    arguments = (model, text, str(output), output_format)
    count = 0
    for _ in range(int(kills)):
        output.unlink(missing_ok=True)
        count += killed(arguments, parts, chance.randrange(1, 9), chance.random() * 0.03)
    if output.exists():
        output.unlink()
    os.waitpid(started(arguments), 0)
    print(count)


if __name__ == "__main__":
    main(*sys.argv[1:])
