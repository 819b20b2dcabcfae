"""Trains gensim's word2vec on a text and writes its vectors to a file that `StaticEmbedding.from_word2vec` reads."""

from collections.abc import Iterator, Sequence

from elmo_tf.data.text import expand_patterns, iterate_lines
from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import atomic_write


def train_word2vec(patterns: Sequence[str], path: str, size: int) -> None:
    """Trains gensim's word2vec (CBOW) on the lower-cased words that occur at least twice, and writes the vectors.

    It trains in one thread, so that the vectors are the same in every run.

    Args:
        patterns: paths or patterns of the text.
        path: the binary file to write.
        size: size of a vector.

    Raises:
        InputError: gensim is not installed, or the text is missing or too short.
    """
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise InputError("gensim is not installed: pip install 'elmo_tf[demo]', or choose other --systems") from error
    files = expand_patterns(patterns, "--corpus")

    class Lines:
        def __iter__(self) -> Iterator[list[str]]:
            return (line.lower().split() for file in files for line in iterate_lines(file))

    try:
        model = Word2Vec(Lines(), vector_size=size, min_count=2, seed=1, workers=1)
    except RuntimeError as error:
        raise InputError(f"--corpus={','.join(patterns)}: word2vec cannot be trained on it: {error}") from error
    with atomic_write(path) as temporary:
        model.wv.save_word2vec_format(temporary, binary=True)
    print(f"word2vec: {len(model.wv):,} words of {len(files)} files, {path}", flush=True)
