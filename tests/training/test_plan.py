"""`elmo-tf train --dry_run` says what a run would do, and does nothing of it."""

import os
import re

import pytest
from training_runs import command, small

from elmo_tf.cli.main import main
from elmo_tf.errors import InputError
from elmo_tf.training.plan import plan


def test_a_dry_run_prints_the_plan_and_leaves_no_file(tmp_path, capsys):
    settings = small(tmp_path, n_epochs=3, schedule="linear", n_negative_samples_batch=100)
    arguments = ["train", *command(settings, "--dry_run")[1:]]
    before = sorted(tmp_path.rglob("*"))
    assert main(arguments) == 0
    said = capsys.readouterr().out
    steps = int(re.search(r"(\d+) steps of 1 x 4 rows x 5 tokens in 3 epochs", said)[1])
    rate = int(re.search(r"a step takes [\d.e-]+ s, ([\d,]+) words/s", said)[1].replace(",", ""))
    assert rate > 0
    for part in (
        "note: the vocabulary has 28 words",
        "estimated memory: ",
        f"{steps} steps, or {steps * 20} words, take about ",
        " minutes, without the validations",
        "of configs/modern, 50k.flags is for a text of this size; nothing was trained",
    ):
        assert part in said
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_finds_the_mistakes_that_the_run_would(tmp_path):
    settings = small(tmp_path, batch_size=10_000)
    with pytest.raises(InputError, match="one batch takes 50000"):
        plan(settings)
    assert not os.path.exists(settings.model_dir)
