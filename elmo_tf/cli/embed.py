"""`elmo-tf embed`."""

import sys
from collections.abc import Sequence
from typing import Any

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli import ray_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.cli.progress import EmbedProgress
from elmo_tf.cli.quiet import start_tensorflow

SUMMARY = "write the vectors of every token of a text, to HDF5, Parquet, npz or plain text"

DESCRIPTION = """
    Embeds a file with one tokenised sentence per line. The HDF5 file gets one float32 dataset per line. Its key is the
    line's number, from 0; its shape is (layers, tokens, 2 * projection). Layer 0 is the vector of the token alone,
    twice; the LSTM layers follow, forward and backward side by side. A sentence's vectors do not depend on the
    sentences around it. For example:

      elmo-tf embed --model_dir=model --input_file=sentences.txt --output_file=embeddings.hdf5
      python -c "import h5py; print(h5py.File('embeddings.hdf5')['0'].shape)"

    A run that was killed goes on where it was, when it is called again with the same flags: what is finished lies in
    OUTPUT.parts until all of it is joined. From standard input no run can go on. In a pipe:

      zcat text.gz | elmo-tf embed --model_dir=model --input_file=- --output_format=txt --layers=top --output_file=-

    On many machines each embeds a share, and elmo-tf merge joins them: --num_shards=100 --shard_index=7. On a cluster
    of Ray: --engine=ray --ray_address=auto --output_format=parquet, with a folder of Parquet files as the output.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    shared_flags.any_model(flag_set, shared_flags.ANY_MODEL)
    flag_set.patterns(
        "input_file",
        "text, a tokenised sentence a line, .gz too: files or quoted patterns, comma-separated, in this order; - for "
        "standard input",
        required=True,
    )
    flag_set.string(
        "output_file", None, "the file to write; - for standard output, with --output_format=txt", required=True
    )
    flag_set.choice("input_format", "text", ("text", "conllu"), "a sentence a line, or CoNLL-U, whose words are taken")
    flag_set.choice(
        "output_format",
        "hdf5",
        ("hdf5", "parquet", "npz", "txt"),
        "hdf5: a dataset a sentence; parquet: a row a sentence, id, tokens and vectors; npz: an array a sentence; txt: "
        "a token a line, a tab, numbers, and a blank line after each sentence (pooled: a sentence a line)",
    )
    _define_choices(flag_set)
    flag_set.choice(
        "precision",
        "float32",
        ("float32", "bfloat16", "float16"),
        "what the model computes in; the shorter types are faster on GPUs, and on CPUs with instructions for them",
    )
    flag_set.integer(
        "word_cache", 0, "words whose vectors without context are kept over the run, those used last", lower=0
    )
    flag_set.string(
        "vocab_to_cache",
        None,
        "words to look up instead of encoding them: a file with a word a line, or the hdf5 file of elmo-tf tokens",
    )
    flag_set.integer("batch_tokens", 8192, "tokens to compute at a time; fewer need less memory", lower=1)
    flag_set.integer("block_bytes", 128 << 10, "text embedded, and kept for a run that goes on, at a time", lower=1)
    flag_set.integer("num_shards", 1, "into how many shares the text is divided; a .gz file never is", lower=1)
    flag_set.integer("shard_index", 0, "which share to embed, from 0", lower=0)
    shared_flags.overwrite(flag_set, "replace an output that exists, and start over where a part of it does")
    ray_flags.define_engine(flag_set)
    shared_flags.checkpoint(flag_set)
    shared_flags.vocab_file(flag_set, shared_flags.VOCAB_OF_MODEL, required=False)


def _define_choices(flag_set: FlagSet) -> None:
    """Declares the flags that say which vectors are written, and how."""
    flag_set.string("layers", "all", "all, top, average (of all layers), mix, or numbers of layers: 0,2")
    flag_set.string(
        "mix_weights", None, "with --layers=mix the layers' shares, which sum to 1, and gamma if not 1: 0.2,0.5,0.3,1.1"
    )
    flag_set.string(
        "mix_from",
        None,
        "with --layers=mix a .keras file: the mix that its ElmoLayer has learned; without either, mix.json "
        "beside the model",
    )
    flag_set.choice("pooling", "none", ("none", "mean", "max"), "a vector a token, or one a sentence")
    flag_set.choice("dtype", "float32", ("float32", "float16"), "precision of what is written")
    flag_set.boolean("keep_boundaries", False, "whether <S> and </S> count as tokens too")
    flag_set.choice(
        "keys",
        "number",
        ("number", "sentence"),
        "names of the HDF5 datasets: numbers, or the sentences themselves with / as %2F, each once",
    )
    flag_set.boolean(
        "sentence_to_index", False, "add AllenNLP's dataset of that name: all sentences and their numbers, as JSON"
    )
    flag_set.choice(
        "compression",
        "none",
        ("none", "gzip", "lzf", "zstd", "snappy", "deflate"),
        "hdf5: gzip or lzf; parquet: zstd or snappy; npz: deflate",
    )


_SETTINGS = (
    *("input_format", "output_format", "layers", "mix_weights", "mix_from", "pooling", "dtype", "keep_boundaries"),
    *("keys", "sentence_to_index", "compression", "precision", "word_cache", "vocab_to_cache"),
    *("batch_tokens", "block_bytes"),
)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.bulk.embed_file.embed_file`, or its namesake in `elmo_tf.bulk.ray`."""
    if values.engine == "ray":
        ray_flags.check_shares(values)
    start_tensorflow()
    from elmo_tf.bulk.embed_file import embed_file
    from elmo_tf.bulk.settings import EmbedSettings
    from elmo_tf.data.text import expand_patterns
    from elmo_tf.store.load_model import load_bilm

    settings: dict[str, Any] = {name: values[name].value for name in _SETTINGS}
    chosen = EmbedSettings(**settings)  # raises an error for invalid settings before the model is loaded
    paths = [
        path
        for pattern in values.input_file
        for path in ([pattern] if pattern == "-" else expand_patterns([pattern], "--input_file"))
    ]
    which = shared_flags.which_checkpoint(values)
    if values.engine == "ray":
        from elmo_tf.bulk.ray import embed_file as embed_file_by_ray

        flags_of_ray = ray_flags.arguments_of_ray(values)
        done = embed_file_by_ray(values.model_dir, paths, values.output_file, **flags_of_ray, **settings)
        ray_flags.print_rows(values.output_file, done)
        return
    loaded = load_bilm(values.model_dir, which, values.vocab_file, chosen.dtype_policy)
    with EmbedProgress() as progress:
        lines, tokens = embed_file(
            loaded,
            paths,
            values.output_file,
            progress=progress,
            num_shards=values.num_shards,
            shard_index=values.shard_index,
            overwrite=values.overwrite,
            **settings,
        )
    is_stream = values.output_file == "-"
    where = "standard output" if is_stream else values.output_file
    said = sys.stderr if is_stream else sys.stdout
    print(f"{where}: {lines:,} lines, {tokens:,} tokens, from {loaded.source}", file=said)
