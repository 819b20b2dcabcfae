"""`elmo-tf tokenize`."""

from collections.abc import Sequence

from elmo_tf.cli import flags as shared_flags
from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.data import text, tokenization
from elmo_tf.system.atomic_files import check_output
from elmo_tf.system.atomic_folders import make_folder_or_undo

SUMMARY = "turn raw text into tokenised sentences, one per line (needs spaCy)"

DESCRIPTION = """
    Splits raw text into sentences and words, by spaCy's rules for the language.

        elmo-tf tokenize --input_files='raw/*.txt' --output_dir=corpus --language=en

    Each line of the input is read as a paragraph; if sentences run over line ends, join the lines first. The text of
    raw/a.txt or raw/a.txt.gz is written to corpus/a.txt, one sentence per line, with a space between words. The next
    step is `elmo-tf vocab`.

    The rules need spaCy but no trained model: pip install 'elmo_tf[tokenize]'. Japanese (ja), Korean (ko), Thai (th)
    and Vietnamese (vi) need another package, which the error message names. Chinese (zh) is split into characters, or
    into words with --chinese_words, which needs jieba. For a language that spaCy does not know, give xx: it divides at
    spaces and punctuation. Text that is already tokenised does not need this command.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.patterns(
        "input_files", "raw text: files or quoted patterns, comma-separated ('raw/*.txt'); plain or .gz", required=True
    )
    flag_set.string("output_dir", None, "folder for the tokenised files; created if missing", required=True)
    flag_set.string(
        "language", None, "spaCy's code of the language: en, nb, ru, zh ...; xx for any other language", required=True
    )
    flag_set.boolean(
        "chinese_words", False, "for zh: split into words, by jieba (pip install jieba), rather than into characters"
    )
    shared_flags.overwrite(flag_set, "replace tokenised files that exist")


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Tokenises each input file and prints its numbers of sentences and tokens; `arguments` are not used."""
    sources = text.expand_patterns(values.input_files, "--input_files")
    targets = tokenization.output_paths(sources, values.output_dir)
    for target in targets:
        check_output(target, values.overwrite)
    nlp = tokenization.make_pipeline(values.language, values.chinese_words)
    if nlp.lang == "zh" and not values.chinese_words:
        print("note: Chinese is split into characters; --chinese_words splits it into words", flush=True)
    all_sentences = all_tokens = 0
    with make_folder_or_undo(values.output_dir):
        for source, target in zip(sources, targets, strict=True):
            sentences, tokens = tokenization.tokenize_file(nlp, source, target)
            print(f"{target}: {sentences:,} sentences, {tokens:,} tokens", flush=True)
            all_sentences += sentences
            all_tokens += tokens
    if len(sources) > 1:
        print(f"{len(sources):,} files: {all_sentences:,} sentences, {all_tokens:,} tokens")
