"""Evaluates a biLM: `python evaluate.py --model_dir=model --test_files=...`, the same as `elmo-tf evaluate`."""

import sys

from elmo_tf.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
