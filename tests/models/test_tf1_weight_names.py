"""Translation of TensorFlow 1's names in both directions, in every spelling that bilm-tf's versions had."""

import json

import pytest
from model_cases import CASES, CHARACTERS, changed

from elmo_tf.models.tf1_weight_names import is_forward_only, our_name, tf1_name
from elmo_tf.models.weight_names import expected_shapes
from elmo_tf.options import Options


@pytest.mark.parametrize("case", CASES)
def test_there_and_back_every_weight_has_its_own_name(case):
    options = Options.from_dict(CASES[case])
    names = list(expected_shapes(options, softmax=True))
    theirs = [tf1_name(name, options) for name in names]
    assert len(set(theirs)) == len(names)
    assert [our_name(name.removeprefix("lm/")) for name in theirs] == names
    assert is_forward_only(theirs) is not options.bidirectional


def test_every_variable_of_a_real_checkpoint_is_covered_and_none_is_missing(shared):
    folder = shared / "parity" / "nlpl-225-names"
    options = Options.from_file(str(folder / "options.json"))
    found = {}
    for line in (folder / "variables.txt").read_text().splitlines():
        name, _, rest = line.split(" ", 2)
        found[name] = tuple(json.loads(rest[: rest.index("]") + 1]))
    expected = {tf1_name(name, options): shape for name, shape in expected_shapes(options, softmax=True).items()}
    slots = {f"{name}/Adagrad": shape for name, shape in expected.items()}
    assert found == {**expected, **slots, "global_step": (), "train_perplexity": ()}
    assert len(found) == 80


@pytest.mark.parametrize(
    "spelling",
    [
        "RNN_1/rnn/multi_rnn_cell/cell_2/lstm_cell/{new}",
        "RNN_1/rnn/multi_rnn_cell/cell_2/lstm_cell/{old}",
        "RNN_1/RNN/MultiRNNCell/Cell2/LSTMCell/{hdf5}",
    ],
)
def test_every_spelling_of_an_lstm_is_known(spelling):
    for new, old, ours in (
        ("kernel", "weights", "W_0"),
        ("bias", "biases", "B"),
        ("projection/kernel", "projection/weights", "W_P_0"),
    ):
        name = spelling.format(new=new, old=old, hdf5=ours)
        assert our_name(name) == f"RNN_1/RNN/MultiRNNCell/Cell2/LSTMCell/{ours}"


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("RNN_1/rnn/lstm_cell/kernel", "RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"),
        ("rnn/multi_rnn_cell/cell_1/lstm_cell/bias", "RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/B"),
        ("rnn/lstm_cell/projection/kernel", "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0"),
        # what bilm-tf's dump_weights made of one layer, and of one direction
        ("RNN_0/RNN/LSTMCell/W_0", "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"),
        ("rnn/MultiRNNCell/Cell1/LSTMCell/kernel", "RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_0"),
        ("rnn/LSTMCell/projection/kernel", "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0"),
        # no LSTM's: as it is
        ("RNN_0/rnn/lstm_cell/w_f_diag", "RNN_0/rnn/lstm_cell/w_f_diag"),
        ("CNN_high_0/W_carry", "CNN_high_0/W_carry"),
    ],
)
def test_parts_that_bilm_tf_leaves_out(name, ours):
    assert our_name(name) == ours


def test_the_names_written_are_those_of_tensorflow_1_15():
    one = Options.from_dict(changed(CHARACTERS, lstm_n_layers=1))
    assert tf1_name("RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0", one) == "lm/RNN_1/rnn/lstm_cell/projection/kernel"
    two = Options.from_dict(changed(CHARACTERS, bidirectional=False))
    name = "lm/rnn/multi_rnn_cell/cell_1/lstm_cell/bias"
    assert tf1_name("RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/B", two) == name
    assert tf1_name("softmax/W", two) == "lm/softmax/W"
