"""`elmo-tf merge`."""

from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues

SUMMARY = "join the shares of elmo-tf embed --num_shards to one file"

DESCRIPTION = """
    Joins the outputs of elmo-tf embed with --num_shards, in the order of the text. It checks by the manifests beside
    them that all shares are there and complete, and of the same text, model and settings; the file has the bytes that
    one run over the whole text gives. For example:

      elmo-tf merge --input_files='shares/*' --output_file=embeddings.hdf5
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.patterns(
        "input_files",
        "outputs of all shares, their manifests beside them: files or quoted patterns ('shares/*'), comma-separated",
        required=True,
    )
    flag_set.string("output_file", None, "the file to write", required=True)
    flag_set.boolean("links", False, "for hdf5: write a small file of links to the shares, which stay where they are")
    shared_flags.overwrite(flag_set)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.bulk.merge_files.merge_files`."""
    from elmo_tf.bulk.merge_files import merge_files
    from elmo_tf.data.text import expand_patterns

    paths = expand_patterns(values.input_files, "--input_files")
    lines, tokens = merge_files(paths, values.output_file, values.overwrite, values.links)
    print(f"{values.output_file}: {lines:,} lines, {tokens:,} tokens")
