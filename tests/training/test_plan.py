"""`elmo-tf train --dry_run` says what a run would do, and does nothing of it."""

import dataclasses
import os
import re

import pytest
from training_runs import command, small

from elmo_tf.cli.main import main
from elmo_tf.data.corpus_cache import CorpusCache
from elmo_tf.data.encoded_stream import EncodedStream
from elmo_tf.errors import InputError
from elmo_tf.training.assembly import make_stream
from elmo_tf.training.plan import describe_text, plan, read_input


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
        " minutes, without the validations; timed with the text files as they are, while a run encodes them first",
        "of configs/modern, 50k.flags is for a text of this size; nothing was trained",
    ):
        assert part in said
    assert sorted(tmp_path.rglob("*")) == before


def test_the_steps_are_timed_with_the_encoded_text_where_a_run_has_left_it(tmp_path):
    settings = small(tmp_path)
    cache = str(tmp_path / "cache")
    before = read_input(settings, 1, print)
    assert (before.encoded, describe_text(before).startswith("timed with the text files")) == (None, True)
    with CorpusCache(cache) as made:
        made.encode(settings.train_files, before.vocabulary)
        made.keep()
    files = sorted(tmp_path.rglob("*"))
    found = read_input(dataclasses.replace(settings, corpus_cache=cache), 1, print)
    assert describe_text(found) == "timed with the encoded text, as a run reads it"
    assert isinstance(make_stream(settings, found, 1), EncodedStream)
    assert found.corpus.fingerprint() == before.corpus.fingerprint()
    assert sorted(tmp_path.rglob("*")) == files


def test_a_dry_run_finds_the_mistakes_that_the_run_would(tmp_path):
    settings = small(tmp_path, batch_size=10_000)
    with pytest.raises(InputError, match="one batch takes 50000"):
        plan(settings)
    assert not os.path.exists(settings.model_dir)
