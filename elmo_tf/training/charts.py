"""Draws the logs of training runs as charts: loss, validation perplexity, gradient norm and speed, by step.

The charts are drawn by matplotlib, an optional dependency: pip install 'elmo_tf[plot]'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elmo_tf.errors import InputError
from elmo_tf.system.atomic_files import atomic_write
from elmo_tf.training.run_log import RunLog

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")
"""The endings of the files that charts are written to."""

_WIDTH, _HEIGHT = 5.0, 3.2
"""The size of one chart in inches."""


@dataclass(frozen=True)
class _Chart:
    """One chart.

    Args:
        column: the column of the log that is drawn for every run.
        title: what stands above the chart.
        unit: what stands beside the vertical axis.
        beside: further columns, each with its name and its line style, which are drawn where there is only one run.
        is_log: whether the vertical axis is logarithmic.
        from_zero: whether the vertical axis begins at 0.
        marker: the mark at each point.
    """

    column: str
    title: str
    unit: str
    beside: tuple[tuple[str, str, str], ...] = ()
    is_log: bool = False
    from_zero: bool = False
    marker: str = ""


_CHARTS = (
    _Chart("sampled_loss", "Training loss, sampled softmax", "nats per token"),
    _Chart("loss", "Training loss", "nats per token"),
    _Chart(
        "val_perplexity",
        "Validation perplexity",
        "perplexity",
        (("val_perplexity_forward", "forward", "--"), ("val_perplexity_backward", "backward", ":")),
        is_log=True,
        marker=".",
    ),
    _Chart("gradient_norm", "Gradient norm before clipping", "norm", is_log=True),
    _Chart("words_per_second", "Speed", "words per second", from_zero=True),
)


def draw_charts(runs: Sequence[RunLog]) -> Figure:
    """Draws the charts for which at least one run has numbers, with one colour for each run.

    Of a single run the perplexities of both directions are drawn too, beside their mean.

    Args:
        runs: the logs of the runs, at least one. The name of each stands in the legend.

    Raises:
        InputError: matplotlib is not installed, or no run has a number for any of the charts.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(f"matplotlib cannot be loaded ({error}): pip install 'elmo_tf[plot]'") from error
    charts = [chart for chart in _CHARTS if any(chart.column in run.columns for run in runs)]
    if not charts:
        expected = ", ".join(chart.column for chart in _CHARTS)
        raise InputError(f"{runs[0].name}: expected a log with one of the columns {expected}", path=runs[0].name)
    width = min(2, len(charts))
    height = -(-len(charts) // width)
    figure = Figure(figsize=(width * _WIDTH, height * _HEIGHT), layout="constrained")
    for number, chart in enumerate(charts, 1):
        _draw_chart(figure.add_subplot(height, width, number), chart, runs)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(3, len(runs)), frameon=False)
    return figure


def _draw_chart(axes: Any, chart: _Chart, runs: Sequence[RunLog]) -> None:
    """Draws one chart into the axes of matplotlib that are given."""
    from matplotlib.ticker import LogFormatter

    for number, run in enumerate(runs):
        # a run without numbers gets its line in the legend all the same
        steps, values = _points(run, chart.column)
        colour = f"C{number}"  # matplotlib has ten of these, and begins again after them
        axes.plot(steps, values, color=colour, marker=chart.marker, linewidth=1.2, label=run.name)
    if len(runs) == 1:
        shown = [column for column, _, _ in chart.beside if column in runs[0].columns]
        for column, label, style in chart.beside:
            if column in shown:
                axes.plot(*_points(runs[0], column), style, color="C0", linewidth=1.0, label=label)
        if shown:
            mean, *others = axes.get_lines()
            axes.legend([mean, *others], ["mean", *(line.get_label() for line in others)], frameon=False)
    axes.set_title(chart.title, fontsize="medium")
    axes.set_xlabel("step")
    axes.set_ylabel(chart.unit)
    axes.grid(visible=True, alpha=0.3)
    if chart.is_log:
        axes.set_yscale("log", nonpositive="mask")
        axes.yaxis.set_minor_formatter(LogFormatter())  # plain numbers, not powers of ten
    axes.yaxis.set_major_formatter("{x:,g}")
    if chart.from_zero:
        axes.set_ylim(bottom=0)


def _points(run: RunLog, column: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The steps and the numbers of a column; both empty where the log has no such column."""
    points = run.columns.get(column, ())
    return tuple(step for step, _ in points), tuple(number for _, number in points)


def check_chart_file(path: str) -> None:
    """Raises an `InputError` if the name of a file to write has none of the endings of `ENDINGS`.

    >>> check_chart_file("charts.gif")
    Traceback (most recent call last):
    elmo_tf.errors.InputError: charts.gif: expected a name that ends in .png, .svg or .pdf
    """
    if not path.lower().endswith(ENDINGS):
        endings = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        raise InputError(f"{path}: expected a name that ends in {endings}", path=path)


def write_charts(runs: Sequence[RunLog], path: str) -> list[str]:
    """Draws the charts of runs and writes them to a file, which appears whole or not at all.

    Args:
        runs: the logs of the runs.
        path: the file; its ending, .png, .svg or .pdf, says the format.

    Returns:
        The titles of the charts.

    Raises:
        InputError: as for `draw_charts`; or the file has another ending, or cannot be written.
    """
    check_chart_file(path)
    figure = draw_charts(runs)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return [axes.get_title() for axes in figure.axes]
