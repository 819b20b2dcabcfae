"""Logs are read as columns of numbers, and the charts show these numbers."""

import sys

import pytest

from elmo_tf.errors import InputError
from elmo_tf.training import charts
from elmo_tf.training.run_log import RunLog, read_run_log

LOG = """step,epoch,sampled_loss,gradient_norm,words_per_second,\
val_perplexity_forward,val_perplexity_backward,val_perplexity
0,0,,,,900,950,925
50,1,7.5,2.5,1200,,,
100,1,6.5,inf,1300,,,
100,1,6.5,1.5,1300,400,500,450
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.csv").write_text(LOG)
    return str(tmp_path / "run")


def lines_of(figure):
    """For each chart by its title, the points of each of its lines by the line's label."""
    return {
        axes.get_title(): {line.get_label(): [tuple(point) for point in line.get_xydata()] for line in axes.get_lines()}
        for axes in figure.axes
    }


@pytest.mark.parametrize("name", ["", "/log.csv"])
def test_a_log_is_read_by_the_folder_or_the_file_without_numbers_that_are_not_finite(run, name):
    log = read_run_log(run + name)
    assert log.name == run + name
    assert log.columns["sampled_loss"] == ((50, 7.5), (100, 6.5), (100, 6.5))
    assert log.columns["gradient_norm"] == ((50, 2.5), (100, 1.5))
    assert log.columns["val_perplexity"] == ((0, 925.0), (100, 450.0))
    assert "epoch" not in log.columns


@pytest.mark.parametrize("row", ["10", "10,1,", "x,1,3", f"{'9' * 5000},1,3", "10,1,3x", "10,1,3,4,5,6,7,8,9"])
def test_a_row_that_a_kill_left_adds_only_the_numbers_that_it_has(tmp_path, row):
    (tmp_path / "log.csv").write_text(f"step,epoch,loss\n5,1,2\n{row}\n")
    kept = ((5, 2.0), (10, 3.0)) if row.count(",") > 2 else ((5, 2.0),)
    assert read_run_log(str(tmp_path)).columns == {"loss": kept}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "it holds no log.csv; expected a folder made by elmo-tf train"),
        ("", "expected a log.csv with rows of a training run, got one without numbers"),
        ("step,epoch,loss\n", "got one without numbers"),
        (f"step,epoch,loss\n1,1,{'x' * 140_000}\n", "log.csv cannot be read: field larger than field limit"),
    ],
)
def test_a_folder_without_a_log_to_draw_is_one_sentence(tmp_path, content, message):
    if content is not None:
        (tmp_path / "log.csv").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_run_log(str(tmp_path))
    assert caught.value.begins_with(str(tmp_path))


def test_a_run_that_does_not_exist_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="none: there is no such file or folder; expected a folder made by"):
        read_run_log(str(tmp_path / "none"))


def test_the_charts_of_one_run_show_its_numbers_and_both_directions(run):
    pytest.importorskip("matplotlib")
    found = lines_of(charts.draw_charts([read_run_log(run)]))
    assert list(found) == [
        "Training loss, sampled softmax", "Validation perplexity", "Gradient norm before clipping", "Speed",
    ]  # fmt: skip
    assert found["Training loss, sampled softmax"] == {run: [(50, 7.5), (100, 6.5), (100, 6.5)]}
    assert found["Validation perplexity"] == {
        run: [(0, 925), (100, 450)], "forward": [(0, 900), (100, 400)], "backward": [(0, 950), (100, 500)],
    }  # fmt: skip
    assert found["Speed"] == {run: [(50, 1200), (100, 1300), (100, 1300)]}


def test_runs_are_compared_in_one_colour_each_through_all_charts(run):
    pytest.importorskip("matplotlib")
    other = RunLog("other", {"loss": ((10, 3.0), (20, 2.0)), "val_perplexity": ((20, 300.0),)})
    figure = charts.draw_charts([read_run_log(run), other])
    found = lines_of(figure)
    assert found["Validation perplexity"] == {run: [(0, 925), (100, 450)], "other": [(20, 300)]}
    assert found["Training loss"] == {run: [], "other": [(10, 3), (20, 2)]}
    assert {tuple(line.get_color() for line in axes.get_lines()) for axes in figure.axes} == {("C0", "C1")}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [run, "other"]


def test_a_log_of_other_columns_has_no_chart():
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match="run: expected a log with one of the columns sampled_loss, loss"):
        charts.draw_charts([RunLog("run", {"accuracy": ((1, 1.0),)})])


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"pip install 'elmo_tf\[plot\]'"):
        charts.draw_charts([RunLog("run", {"loss": ((1, 1.0),)})])
