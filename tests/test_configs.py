"""The configurations can be read, and have the published sizes."""

import dataclasses
import math
import pathlib

import pytest

from benchmarks.recipe import read_settings
from elmo_tf.cli import train
from elmo_tf.cli.flags import FlagSet, beside_flagfile
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options, TrainingOptions
from elmo_tf.training.plan import CONFIGURATIONS

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
NAMES = sorted(str(path.relative_to(CONFIGS).with_suffix("")) for path in CONFIGS.rglob("*.flags"))


def count(options, softmax=False):
    return sum(math.prod(shape) for shape in expected_shapes(options, softmax).values())


def test_the_four_promised_configurations_are_there():
    assert {"tiny", "small", "medium", "original"} <= set(NAMES)


def test_the_modern_configurations_are_those_that_a_plan_names():
    assert {name for name in NAMES if "/" in name} == {f"modern/{name}" for _, name in CONFIGURATIONS}


@pytest.mark.parametrize("name", [name for name in NAMES if "/" not in name])
def test_the_recipe_of_bilm_tf_has_none_of_the_options_that_bilm_tf_does_not_know(name):
    training = Options.from_file(str(CONFIGS / f"{name}.json")).training
    assert set(training.to_dict()) <= set(TrainingOptions().to_dict())


@pytest.mark.parametrize(
    ("name", "base", "recipes", "setting"),
    [("2m", "wikitext2", "wikitext2", "adam-zipf-32"), ("50k", "tiny", "nynorsk", "adam-full")],
)
def test_a_configuration_with_a_measured_perplexity_has_the_settings_that_were_measured(name, base, recipes, setting):
    settings = read_settings(str(ROOT / "benchmarks" / "recipes" / f"{recipes}.txt"))
    flags = next(one.flags for one in settings if one.name == setting)
    flag_set = FlagSet()
    train.define_flags(flag_set)
    flag_set.values(["train", *flags])
    measured = train._override(Options.from_file(str(CONFIGS / f"{base}.json")), flag_set.values)
    given = Options.from_file(str(CONFIGS / "modern" / f"{name}.json"))
    epochs = given.training.n_epochs  # the heads say how many were measured
    assert given.to_dict() == measured.replace(n_epochs=epochs).to_dict()


@pytest.mark.parametrize(
    ("left_out", "options"),
    {
        "no-dropout": ("dropout", "locked_dropout"),  # which has no effect without the first
        "no-locked-dropout": ("locked_dropout",),
        "no-word-dropout": ("word_dropout",),
        "no-weight-dropout": ("weight_dropout",),
        "no-ar-tar": ("activation_regularization", "temporal_activation_regularization"),
        "no-average": ("average_decay",),
        "no-schedule": ("schedule",),
    }.items(),
)
def test_the_ablation_leaves_out_one_change_at_a_time(left_out, options):
    made = {one.name: one.flags for one in read_settings(str(ROOT / "benchmarks" / "recipes" / "ablation.txt"))}
    base, trained = Options.from_file(str(CONFIGS / "modern" / "2m.json")), {}
    for name, flags in made.items():
        flag_set = FlagSet()
        train.define_flags(flag_set)
        flag_set.values(["train", *flags])
        trained[name] = dataclasses.asdict(train._override(base, flag_set.values).training)
    assert trained["modern-2m"] == dataclasses.asdict(base.training)
    assert {name for name in trained if name.startswith("no-")} == set(made) - {"modern-2m", "all"}
    assert {name for name, value in trained["all"].items() if value != trained[left_out][name]} == set(options)


@pytest.mark.parametrize(("name", "weights"), [("small", 13_593_296), ("medium", 28_027_728), ("original", 93_600_848)])
def test_the_weights_are_as_many_as_those_of_the_published_model(name, weights):
    assert count(Options.from_file(str(CONFIGS / f"{name}.json"))) == weights


def test_the_softmax_of_the_original_is_the_published_one():
    options = Options.from_file(str(CONFIGS / "original.json")).replace(n_tokens_vocab=793_471)
    assert count(options, softmax=True) - count(options) == 407_050_623


@pytest.mark.parametrize("name", NAMES)
def test_the_flagfile_parses_and_finds_its_options_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flag_set, argument = FlagSet(), f"--flagfile={CONFIGS / name}.flags"
    train.define_flags(flag_set)
    flag_set.values(["train", argument])
    path = beside_flagfile(flag_set.values.options_file, [argument])
    assert pathlib.Path(path) == CONFIGS / f"{name}.json"
    Options.from_file(path)


@pytest.mark.parametrize("name", NAMES)
def test_the_flagfile_opens_with_command_hardware_and_what_to_expect(name):
    head = [line for line in (CONFIGS / f"{name}.flags").read_text().splitlines() if line.startswith("#")]
    text = "\n".join(head)
    assert f"--flagfile=configs/{name}.flags" in text
    assert "Hardware:" in text
    assert "Expect:" in text
