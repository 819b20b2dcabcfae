"""How the command line starts TensorFlow: with oneDNN on x86 CPUs, unless the user has decided."""

import os
import platform
import sys

import pytest

from elmo_tf.cli.quiet import enable_onednn

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"


@pytest.fixture
def before_the_import(monkeypatch):
    """The environment before TensorFlow is imported, on an x86 CPU, with nothing decided."""
    monkeypatch.setenv(VARIABLE, "")  # so that the variable is as before after the test
    monkeypatch.delenv(VARIABLE)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
def test_onednn_is_switched_on_for_an_x86_cpu(before_the_import, monkeypatch, machine):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    enable_onednn()
    assert os.environ[VARIABLE] == "1"


@pytest.mark.parametrize("decided", ["0", "1", "false"])
def test_what_the_user_has_decided_stays(before_the_import, monkeypatch, decided):
    monkeypatch.setenv(VARIABLE, decided)
    enable_onednn()
    assert os.environ[VARIABLE] == decided


def test_other_cpus_keep_tensorflows_own_choice(before_the_import, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    enable_onednn()
    assert VARIABLE not in os.environ


def test_nothing_is_set_once_tensorflow_is_imported(before_the_import, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", platform)
    enable_onednn()
    assert VARIABLE not in os.environ
