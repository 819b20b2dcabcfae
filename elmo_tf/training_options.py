"""The training options of `options.json`: those of bilm-tf, and beside them those of newer recipes."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elmo_tf.errors import InputError
from elmo_tf.options_reader import OptionsReader
from elmo_tf.system.documented_fields import documented_field, with_field_help

OPTIMIZERS = ("adagrad", "adam", "adamw")
SCHEDULES = ("constant", "linear", "cosine")
SOFTMAX_BIASES = ("zero", "zipf")

_MOST_TOKENS, _MOST_EPOCHS = 2**63 - 1, 1_000_000
"""Upper bounds, larger than in any model, so that a typing error is reported instead of building a huge model."""

_MOST_PENALTY = 1000.0
"""The bound of the factors of the penalties on activations; Merity et al. take 2 and 1."""

_OF_BILM_TF = (
    "batch_size",
    "unroll_steps",
    "n_epochs",
    "n_train_tokens",
    "dropout",
    "sample_softmax",
    "n_negative_samples_batch",
    "all_clip_norm_val",
    "learning_rate",
)
"""The options that bilm-tf knows. The others are written only where they are not the defaults, which are its recipe."""


@with_field_help
@dataclass(frozen=True)
class TrainingOptions:
    """The training options in bilm-tf's file, and those that it does not know, whose defaults are its recipe.

    Each but `n_train_tokens` is a flag of `elmo-tf train` too, which overrides the file. Sources of the newer ones:
    Kingma and Ba 2015 (Adam), Loshchilov and Hutter 2019 (AdamW) and 2017 (cosine), Gal and Ghahramani 2016 (dropout
    that is locked over time, and of whole words), Merity et al. 2018 (both in language models, and `weight_dropout`),
    Merity et al. 2017 (`activation_regularization`, alpha, and `temporal_activation_regularization`, beta), Polyak and
    Juditsky 1992 (averages of weights).
    """

    batch_size: int = documented_field("rows a replica (GPU)", 128)
    unroll_steps: int = documented_field("tokens of a row in one step", 20)
    n_epochs: int = documented_field("passes over the training text", 10)
    n_train_tokens: int | None = documented_field(
        "words of the training text; counted, never needed from the user", None
    )
    dropout: float = documented_field("dropout rate on the input of every LSTM layer and on the last output", 0.1)
    sample_softmax: bool = documented_field("train with the sampled softmax, or, negated, the full one", True)
    n_negative_samples_batch: int = documented_field("negatives of the sampled softmax", 8192)
    all_clip_norm_val: float = documented_field("bound of the gradient's global norm", 10.0)
    learning_rate: float = documented_field(
        "learning rate of the optimizer, at its peak where there is a schedule", 0.2
    )
    optimizer: str = documented_field("adagrad, adam, or adamw with --weight_decay", "adagrad", choices=OPTIMIZERS)
    beta_1: float = documented_field("decay of Adam's mean of gradients", 0.9)
    beta_2: float = documented_field("decay of Adam's mean of squared gradients", 0.999)
    adam_epsilon: float = documented_field("what Adam adds to the root of its mean of squares", 1e-8)
    weight_decay: float = documented_field(
        "adamw: share of each weight that a step takes away, times the learning rate; biases are left out, and of the "
        "softmax the rows that the step does not touch",
        0.0,
    )
    schedule: str = documented_field(
        "the learning rate after the warm-up: constant, or falling to 0, linear or as a cosine",
        "constant",
        choices=SCHEDULES,
    )
    warmup_steps: int = documented_field("steps in which the learning rate rises from 0", 0, lower=0)
    decay_steps: int = documented_field(
        "number of the step at which the schedule reaches 0; 0: the last step of the run", 0, lower=0
    )
    plateau_patience: int = documented_field(
        "validations in a row without a better perplexity after which the learning rate falls; 0: never", 0, lower=0
    )
    plateau_factor: float = documented_field("what the learning rate is then multiplied by", 0.5)
    locked_dropout: bool = documented_field("draw one dropout mask for all tokens of a row in a step", False)
    token_dropout: float | None = documented_field("dropout rate on the token vectors; not set: --dropout", None)
    layer_dropout: float | None = documented_field("dropout rate between the LSTM layers; not set: --dropout", None)
    output_dropout: float | None = documented_field("dropout rate on the last output; not set: --dropout", None)
    word_dropout: float = documented_field(
        "share of the distinct words of a step whose token vectors are dropped wherever they occur in it", 0.0
    )
    weight_dropout: float = documented_field(
        "share of the recurrent weights of every LSTM layer, from output to gates, that are dropped in a step", 0.0
    )
    activation_regularization: float = documented_field(
        "AR: factor of the mean square of the last outputs, after their dropout, which is added to the trained loss",
        0.0,
    )
    temporal_activation_regularization: float = documented_field(
        "TAR: factor of the mean square of the differences between successive last outputs of a row, before their "
        "dropout, which is added to the trained loss",
        0.0,
    )
    softmax_bias: str = documented_field(
        "first biases of the softmax: zero, or zipf, the log-probabilities of words by their ranks",
        "zero",
        choices=SOFTMAX_BIASES,
    )
    full_softmax_words: int = documented_field(
        "train with the full softmax where the vocabulary has at most so many words", 0, lower=0
    )
    average_decay: float = documented_field(
        "validate, keep as the best and export a moving average of the weights with this decay; 0: the weights", 0.0
    )
    average_steps: int = documented_field("steps from one update of that average to the next", 10, lower=1)

    def dropout_rates(self, layers: int) -> list[float]:
        """The rates of the dropout on the input of every LSTM layer, and last of that on the output.

        >>> TrainingOptions(dropout=0.1, token_dropout=0.4, output_dropout=0.0).dropout_rates(layers=3)
        [0.4, 0.1, 0.1, 0.0]
        """
        given = (self.token_dropout, self.layer_dropout, self.output_dropout)
        tokens, between, output = (self.dropout if rate is None else rate for rate in given)
        return [tokens, *[between] * (layers - 1), output]

    @property
    def regularizes_activations(self) -> bool:
        """Whether the trained loss has a penalty on the last outputs."""
        return self.activation_regularization > 0.0 or self.temporal_activation_regularization > 0.0

    def to_dict(self) -> dict[str, Any]:
        """The content of `options.json`: bilm-tf's options, and the others where they are not the defaults."""
        values = dataclasses.asdict(self)
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if name in _OF_BILM_TF or value != defaults[name]}

    def check(self, name: str = "options") -> None:
        """Raises an `InputError` where two options contradict each other."""
        if self.weight_decay and self.optimizer != "adamw":
            raise InputError(
                f"{name}: weight_decay: expected optimizer to be adamw, got {self.optimizer}", option="weight_decay"
            )
        if not 0.0 < self.plateau_factor <= 1.0:
            raise InputError(
                f"{name}: plateau_factor: expected a number above 0 and of at most 1, got {self.plateau_factor}",
                option="plateau_factor",
            )
        if self.temporal_activation_regularization and self.unroll_steps < 2:
            raise InputError(
                f"{name}: temporal_activation_regularization: expected unroll_steps of at least 2, got "
                f"{self.unroll_steps}",
                option="temporal_activation_regularization",
            )
        if 0 < self.decay_steps <= self.warmup_steps:
            raise InputError(
                f"{name}: decay_steps: expected more than warmup_steps, {self.warmup_steps}, got {self.decay_steps}",
                option="decay_steps",
            )


def read_training(reader: OptionsReader) -> TrainingOptions:
    """Reads the options of the training, which have no section of their own."""
    default = TrainingOptions()
    return TrainingOptions(
        batch_size=reader.whole("batch_size", default.batch_size),
        unroll_steps=reader.whole("unroll_steps", default.unroll_steps),
        n_epochs=reader.whole("n_epochs", default.n_epochs, upper=_MOST_EPOCHS),
        n_train_tokens=reader.whole("n_train_tokens", None, upper=_MOST_TOKENS),
        dropout=reader.number("dropout", default.dropout, below=1.0),
        sample_softmax=reader.flag("sample_softmax", default.sample_softmax),
        n_negative_samples_batch=reader.whole("n_negative_samples_batch", default.n_negative_samples_batch),
        all_clip_norm_val=reader.number("all_clip_norm_val", default.all_clip_norm_val, above=0.0),
        learning_rate=reader.number("learning_rate", default.learning_rate, above=0.0),
        **_read_optimizer(reader, default),
        **_read_regularisation(reader, default),
    )


def _read_optimizer(reader: OptionsReader, default: TrainingOptions) -> Mapping[str, Any]:
    return {
        "optimizer": reader.choice("optimizer", OPTIMIZERS, default.optimizer),
        "beta_1": reader.number("beta_1", default.beta_1, below=1.0),
        "beta_2": reader.number("beta_2", default.beta_2, below=1.0),
        "adam_epsilon": reader.number("adam_epsilon", default.adam_epsilon, above=0.0),
        "weight_decay": reader.number("weight_decay", default.weight_decay, below=1.0),
        "schedule": reader.choice("schedule", SCHEDULES, default.schedule),
        "warmup_steps": reader.whole("warmup_steps", default.warmup_steps, lower=0),
        "decay_steps": reader.whole("decay_steps", default.decay_steps, lower=0),
        "plateau_patience": reader.whole("plateau_patience", default.plateau_patience, lower=0),
        "plateau_factor": reader.number("plateau_factor", default.plateau_factor, above=0.0),
    }


def _read_regularisation(reader: OptionsReader, default: TrainingOptions) -> Mapping[str, Any]:
    rates = ("token_dropout", "layer_dropout", "output_dropout", "word_dropout", "weight_dropout", "average_decay")
    factors = ("activation_regularization", "temporal_activation_regularization")
    return {
        **{name: reader.number(name, getattr(default, name), below=1.0) for name in rates},
        **{name: reader.number(name, getattr(default, name), below=_MOST_PENALTY) for name in factors},
        "locked_dropout": reader.flag("locked_dropout", default.locked_dropout),
        "softmax_bias": reader.choice("softmax_bias", SOFTMAX_BIASES, default.softmax_bias),
        "full_softmax_words": reader.whole("full_softmax_words", default.full_softmax_words, lower=0),
        "average_steps": reader.whole("average_steps", default.average_steps),
    }
