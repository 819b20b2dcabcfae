"""`elmo-tf plot` writes a picture, or one sentence and nothing."""

import pytest

from elmo_tf.cli.main import main

HEAD = "step,epoch,loss,gradient_norm,words_per_second,val_perplexity\n"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").write_text(f"{HEAD}50,1,7.5,2.5,1200,\n100,1,6.5,2,1300,640\n")
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "name", "start"),
    [
        ("--model_dir=first", "training.png", b"\x89PNG\r\n"),
        ("--model_dir=first,second/log.csv --output_file=new/compared.svg", "new/compared.svg", b"<?xml"),
    ],
)
def test_the_charts_are_written_in_the_format_of_the_ending(runs, capsys, flags, name, start):
    pytest.importorskip("matplotlib")
    assert main(["plot", *flags.split()]) == 0
    assert (runs / name).read_bytes().startswith(start)
    drawn = "Training loss; validation perplexity; gradient norm before clipping; speed"
    assert capsys.readouterr().out == f"{name}: {drawn}\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--model_dir=first,third", "--model_dir=third: there is no such file or folder; expected a folder made by"),
        ("--model_dir=first --output_file=x.gif", "--output_file=x.gif: expected a name that ends in .png, .svg or"),
        ("--model_dir=first --output_file=", "--output_file is empty: expected a name that ends in .png"),
        ("--model_dir=.", "--model_dir=.: it holds no log.csv"),
    ],
)
def test_a_mistake_is_one_sentence_and_code_1_and_nothing_is_written(runs, capsys, flags, message):
    before = sorted(runs.rglob("*"))
    assert main(["plot", *flags.split()]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"elmo-tf plot: {message}")
    assert captured.err.count("\n") == 1
    assert sorted(runs.rglob("*")) == before
