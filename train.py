"""Trains a biLM: `python train.py --flagfile=configs/small.flags ...`, the same as `elmo-tf train`."""

import sys

from elmo_tf.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
