"""The logs of a run: lines on the terminal, and a CSV file."""

import csv
import re

import pytest
from full_disk import largest_file
from riding import end_step, result, ride, state_of

from elmo_tf.errors import InputError
from elmo_tf.training import logs
from elmo_tf.training.validation import Validation


def test_validation_before_the_first_step_is_logged_as_step_0(tmp_path):
    path = tmp_path / "log.csv"
    state = state_of()
    riding, _ = ride(
        Validation(state, lambda: result(9.0), first=True, report=str),
        logs.CsvLog(state, str(path), 10, ["val_perplexity"]),
    )
    riding.on_train_begin({})
    assert list(csv.DictReader(path.open())) == [{"step": "0", "epoch": "0", "val_perplexity": "9"}]


@pytest.mark.parametrize(("is_resumed", "kept"), [(False, []), (True, ["0,0,,9"])])
def test_a_run_resumed_at_step_0_keeps_its_validation_and_a_new_run_begins_the_file_anew(tmp_path, is_resumed, kept):
    path = tmp_path / "log.csv"
    path.write_text("step,epoch,loss,val_perplexity\n0,0,,9\n1,1,0.5,\n")
    riding, _ = ride(logs.CsvLog(state_of(is_resumed=is_resumed), str(path), 1, ["loss", "val_perplexity"]))
    riding.on_train_begin({})
    assert path.read_text().split() == ["step,epoch,loss,val_perplexity", *kept]


def test_a_validation_made_up_for_replaces_its_row_where_a_kill_came_before_the_checkpoint(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,epoch,loss,val_perplexity\n4,2,0.5,\n4,2,0.25,8\n")
    state = state_of(step=4, is_resumed=True)
    riding, _ = ride(logs.CsvLog(state, str(path), 2, ["loss", "val_perplexity"], epoch=2))
    riding.on_train_begin({"loss": 0.25, "val_perplexity": 8.0})
    assert path.read_text().split() == ["step,epoch,loss,val_perplexity", "4,2,0.5,", "4,2,0.25,8"]


def test_the_csv_has_a_row_every_log_steps_and_at_validations_and_is_continued_after_a_resume(tmp_path):
    path = str(tmp_path / "log.csv")
    for start in (0, 2):  # the second time as a run that goes on from step 2
        state = state_of(step=start, is_resumed=True)
        riding, _ = ride(logs.CsvLog(state, path, 2, ["loss", "val_perplexity"]))
        riding.on_train_begin({})
        riding.on_epoch_begin(0)
        for _ in range(3):
            end_step(riding, state, {"loss": 0.5})
        riding.on_epoch_end(0, {"val_perplexity": 3.0})
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["loss"], row["val_perplexity"]) for row in rows] == [
        ("2", "0.5", ""), ("4", "0.5", ""), ("5", "", "3"),
    ]  # fmt: skip


def test_a_resumed_csv_keeps_columns_of_another_loss_and_drops_what_a_kill_tore(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,epoch,sampled_loss\n2,1,0.25\n4,1,0.5\nx")
    state = state_of(step=2, is_resumed=True)
    riding, _ = ride(logs.CsvLog(state, str(path), 1, ["loss"]))
    riding.on_train_begin({})
    end_step(riding, state, {"loss": 0.75})
    assert path.read_text().split() == ["step,epoch,loss,sampled_loss", "2,1,,0.25", "3,0,0.75,"]


def test_progress_in_a_file_is_a_line_with_share_speed_and_the_losss_name(capsys):
    lines = []
    riding, _ = ride(logs.Progress([0, 2, 4], "sampled_loss", lines.append, interval=0.0))
    riding.on_epoch_begin(1)
    for batch in (2, 3):
        riding.on_train_batch_end(batch, {"sampled_loss": 5.25, "words_per_second": 1234.0})
    riding.on_epoch_end(1, {})
    assert lines[0] == "Epoch 2/2"
    assert lines[1].split(", ")[:2] == ["  1/2 steps", "75.0 % of all"]
    assert "1,234 words/s, sampled_loss 5.2500" in lines[2]
    assert capsys.readouterr().out == ""


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        for name in ("monotonic", "time"):
            monkeypatch.setattr(f"time.{name}", lambda: self.now)


def resumed_progress(monkeypatch, report):
    """Progress of a run of two epochs of 100 steps, resumed at step 50: steps of 60 s, 1 s, 3 s and then 1 s."""
    clock = Clock(monkeypatch)
    riding, _ = ride(logs.Progress([0, 100, 200], "loss", report, interval=0.0))
    riding.on_epoch_begin(0)
    for batch, seconds in enumerate([60.0, 1.0, 3.0, *[1.0] * 47], 50):
        clock.now += seconds
        riding.on_train_batch_end(batch, {"loss": 1.0})
    riding.on_epoch_begin(1)
    for batch in (100, 101):
        clock.now += 5.0
        riding.on_train_batch_end(batch, {"loss": 1.0})


def test_the_time_left_follows_from_the_steps_since_the_resume_without_the_first(monkeypatch):
    lines = []
    resumed_progress(monkeypatch, lines.append)
    assert lines[1] == "  51/100 steps, 25.5 % of all, loss 1.0000"
    assert lines[2] == "  52/100 steps, 26.0 % of all, 48 s left in the epoch, loss 1.0000"
    assert lines[3] == "  53/100 steps, 26.5 % of all, 94 s left in the epoch, loss 1.0000"
    assert lines[52] == "  1/100 steps, 50.5 % of all, 495 s left in the epoch, loss 1.0000"


def test_the_bar_on_a_terminal_shows_the_same_time_left(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    resumed_progress(monkeypatch, lambda line: None)
    shown = [re.sub(r"\x1b\[\d+m|[━\b]", "", part).split() for part in capsys.readouterr().out.split("\r")]
    assert ["51/100"] not in [part[:1] for part in shown]
    assert [part[:3] for part in shown if part[:1] == ["52/100"]] == [["52/100", "48s", "1s/step"]]
    assert [part[:3] for part in shown if part[:1] == ["53/100"]] == [["53/100", "1:34", "2s/step"]]
    assert [part[:3] for part in shown if part[:1] == ["2/100"]] == [["2/100", "8:10", "5s/step"]]


def test_a_log_that_no_disk_takes_is_one_sentence(tmp_path):
    path = tmp_path / "log.csv"
    state = state_of()
    riding, _ = ride(logs.CsvLog(state, str(path), 1, ["loss"]))
    riding.on_train_begin({})
    with largest_file(path.stat().st_size), pytest.raises(InputError, match=r"log\.csv cannot be written: File too"):
        end_step(riding, state, {"loss": 0.5})


@pytest.mark.parametrize("place", ["a field", "the head"])
def test_a_log_with_a_field_too_long_for_csv_is_one_sentence(tmp_path, place):
    path, long = tmp_path / "log.csv", "x" * 140_000
    path.write_text(f"step,epoch,{long}\n1,1,2\n" if place == "the head" else f"step,epoch,loss\n1,1,{long}\n")
    riding, _ = ride(logs.CsvLog(state_of(step=1, is_resumed=True), str(path), 1, ["loss"]))
    with pytest.raises(InputError, match=r"log\.csv: expected the rows of this run's log, got what is no CSV file"):
        riding.on_train_begin({})
    assert long in path.read_text()


def test_a_log_that_is_a_folder_is_one_sentence(tmp_path):
    path = tmp_path / "log.csv"
    path.mkdir()
    riding, _ = ride(logs.CsvLog(state_of(step=1, is_resumed=True), str(path), 1, ["loss"]))
    with pytest.raises(InputError, match=r"log\.csv cannot be read: Is a directory"):
        riding.on_train_begin({})


def test_a_row_whose_step_has_thousands_of_digits_is_dropped(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(f"step,epoch,loss\n1,1,2\n{'9' * 5000},1,2\n")
    riding, _ = ride(logs.CsvLog(state_of(step=1, is_resumed=True), str(path), 1, ["loss"]))
    riding.on_train_begin({})
    assert path.read_text().split() == ["step,epoch,loss", "1,1,2"]
