"""A text, a vocabulary and options, so small that a training run takes only seconds."""

import pathlib

import numpy as np

from elmo_tf.data.word_counts import build_vocabulary, count_corpus
from elmo_tf.options import CharCnnOptions, LstmOptions, Options, TrainingOptions
from elmo_tf.training.settings import TrainSettings

WORDS = [f"{a}{b}" for a in ("ta", "ke", "mo", "li", "zu") for b in ("r", "ns", "ppel", "x", "v")]


def sentences(count: int, seed: int = 0) -> list[str]:
    """Makes sentences in which a word can be predicted well from the one before."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        word, words = int(random.integers(len(WORDS))), []
        for _ in range(int(random.integers(1, 12))):
            words.append(WORDS[word])
            word = (word * 3 + int(random.integers(3))) % len(WORDS)
        found.append(" ".join(words))
    return found


def options(**changes) -> Options:
    """Options of a model with character input and a few thousand weights."""
    made = Options(
        lstm=LstmOptions(dim=12, projection_dim=6, n_layers=2, cell_clip=3, proj_clip=3, use_skip_connections=True),
        char_cnn=CharCnnOptions(filters=((1, 4), (2, 6)), embedding_dim=4, n_highway=1, max_characters_per_token=12),
        training=TrainingOptions(
            batch_size=4, unroll_steps=5, n_epochs=2, dropout=0.1, n_negative_samples_batch=8, learning_rate=0.2
        ),
    )
    return made.replace(**changes)


def settings(folder: pathlib.Path, count: int = 40, model: str = "model", **changes) -> TrainSettings:
    """Writes the files of a run into `folder`; returns its settings. `changes` may be of options and of settings."""
    train, held, vocab = folder / "train.txt", folder / "held.txt", folder / "vocab.txt"
    train.write_text("\n".join(sentences(count)) + "\n")
    held.write_text("\n".join(sentences(10, seed=1)) + "\n")
    build_vocabulary(count_corpus([str(train)])[0]).save(str(vocab))
    own = {name: changes.pop(name) for name in list(changes) if name in TrainSettings.__dataclass_fields__}
    return TrainSettings(
        **{
            "options": options(**changes),
            "train_files": (str(train),),
            "valid_files": (str(held),),
            "vocab_file": str(vocab),
            "model_dir": str(folder / model),
            **own,
        }
    )
