"""`elmo-tf plot`."""

from collections.abc import Sequence

from elmo_tf.cli.flags import FlagSet, FlagValues
from elmo_tf.errors import InputError
from elmo_tf.training.charts import check_chart_file, write_charts
from elmo_tf.training.run_log import read_run_log

SUMMARY = "charts of training runs: loss, perplexity, gradient norm, speed"

DESCRIPTION = """
    Draws the log of one training run, or of several to compare them: the training loss, the validation perplexity, the
    norm of the gradient and the words per second, by step. For example:

      elmo-tf plot --model_dir=model
      elmo-tf plot --model_dir=first,second --output_file=compared.svg

    The run may still be under way. The command reads log.csv in the folder of the run, and needs matplotlib:
    pip install 'elmo_tf[plot]'.
"""


def define_flags(flag_set: FlagSet) -> None:
    """Declares the command's flags."""
    flag_set.patterns("model_dir", "folders of training runs, or their log.csv, comma-separated", required=True)
    flag_set.string("output_file", "training.png", "the file to write; it ends in .png, .svg or .pdf")


def run(values: FlagValues, arguments: Sequence[str]) -> None:
    """Calls `elmo_tf.training.charts.write_charts`; `arguments` are not used."""
    if not values.output_file:
        raise InputError(
            "--output_file is empty: expected a name that ends in .png, .svg or .pdf", option="output_file"
        )
    check_chart_file(values.output_file)
    names = list(dict.fromkeys(values.model_dir))
    titles = write_charts([read_run_log(name) for name in names], values.output_file)
    drawn = f"{titles[0]}; {'; '.join(title[0].lower() + title[1:] for title in titles[1:])}".removesuffix("; ")
    print(f"{values.output_file}: {drawn}")
