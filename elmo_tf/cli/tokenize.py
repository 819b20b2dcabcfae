"""elmo-tf tokenize: raw text -> one tokenised sentence a line."""

from collections.abc import Sequence

from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.data import text, tokenization
from elmo_tf.system.atomic_folders import make_folder_or_undo

SUMMARY = "turn raw text into tokenised sentences, one a line (needs spaCy)"

DESCRIPTION = """
    Cuts raw text into sentences and words, by spaCy's rules for the language.

        elmo-tf tokenize --input_files='raw/*.txt' --output_dir=corpus --language=en

    Every line of the input is taken as a paragraph, so join lines first where sentences run over line ends. Of
    raw/a.txt or raw/a.txt.gz it makes corpus/a.txt: a sentence a line, a space between words. The next step is
    `elmo-tf vocab`.

    The rules need no trained model, only spaCy: pip install 'elmo_tf[tokenize]'. Some languages (ja, ko, th, vi) need a
    further package, which the error names. Chinese (zh) is cut into characters. Text that is tokenised already needs
    none of this.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.patterns(
        "input_files", "raw text: files or quoted patterns, comma-separated ('raw/*.txt'), .gz too", required=True
    )
    flag_set.string("output_dir", None, "folder for the tokenised files; made if missing", required=True)
    flag_set.string("language", None, "spaCy's code of the language: en, nb, ru, zh ...; xx for any", required=True)


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Tokenises each input file and prints what came of it; `arguments` are not used."""
    sources = text.expand_patterns(values.input_files, "--input_files")
    targets = tokenization.output_paths(sources, values.output_dir)
    nlp = tokenization.make_pipeline(values.language)
    all_sentences = all_tokens = 0
    with make_folder_or_undo(values.output_dir):
        for source, target in zip(sources, targets, strict=True):
            sentences, tokens = tokenization.tokenize_file(nlp, source, target)
            print(f"{target}: {sentences:,} sentences, {tokens:,} tokens", flush=True)
            all_sentences += sentences
            all_tokens += tokens
    if len(sources) > 1:
        print(f"{len(sources):,} files: {all_sentences:,} sentences, {all_tokens:,} tokens")
