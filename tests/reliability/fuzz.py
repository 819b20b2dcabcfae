"""Searches for files that make a reader fail, guided by the code that each file reaches (`pip install -e '.[fuzz]'`).

    python tests/reliability/fuzz.py HDF5 -runs=100000

The first argument is the name of a target of `tests/fuzz_targets.py`; the others are those of libFuzzer. The program
ends with a traceback at the first file that ends in anything but an `InputError`, and libFuzzer keeps what led to it.
"""

import os
import sys
import tempfile


def main(arguments: list[str]) -> None:
    """Searches with the target that the first argument names."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path[:0] = [os.path.join(os.path.dirname(__file__), os.pardir)]
    import atheris

    with atheris.instrument_imports(include=["elmo_tf"]):
        from fuzz_targets import FILES, FOLDERS, Target, mutate

    known = [*FILES, *FOLDERS]
    if len(arguments) < 2 or arguments[1] not in known:
        sys.exit(f"usage: python tests/reliability/fuzz.py TARGET [-runs=N ...]; targets: {', '.join(known)}")
    folder = tempfile.TemporaryDirectory()
    target = Target(arguments[1], folder.name)

    def read_one(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        seed = provider.ConsumeIntInRange(0, len(target.seeds) - 1)
        edits = []
        while provider.remaining_bytes() > 4:
            edits.append([provider.ConsumeIntInRange(0, most) for most in (7, 1 << 16, 64, 255)])
        target.call(seed, mutate(target.seeds[seed], edits))

    atheris.Setup([arguments[0], *arguments[2:]], read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
