"""The cluster of a run, as TF_CONFIG and Slurm describe it; mistakes are one sentence. No server is started here."""

import json

import pytest
import tiny

from elmo_tf.errors import InputError
from elmo_tf.training.cluster import find_cluster
from elmo_tf.training.devices import strategy_of

SLURM = {
    "SLURM_JOB_ID": "123456",
    "SLURM_STEP_NODELIST": "node[9-10],other",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_PROCID": "2",
    "SLURMD_NODENAME": "node10",
}


@pytest.fixture
def find(monkeypatch):
    """Finds the cluster in an environment with these variables, and no others of a cluster."""

    def find_in(variables):
        for name in ("TF_CONFIG", *SLURM):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return find_cluster()

    return find_in


def config(cluster=None, task=None):
    cluster = {"worker": ["a:1", "b:2"]} if cluster is None else cluster
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 1} if task is None else task})


def test_the_first_worker_is_the_chief_unless_there_is_a_job_of_that_name(find):
    cluster = find({"TF_CONFIG": config()})
    assert (cluster.jobs, cluster.job, cluster.number) == ({"worker": ["a:1", "b:2"]}, "worker", 1)
    assert not cluster.is_chief
    jobs, first = {"chief": ["c:1"], "worker": ["a:1"]}, {"type": "worker", "index": 0}
    assert find({"TF_CONFIG": config(task=first)}).is_chief
    assert not find({"TF_CONFIG": config(jobs, first)}).is_chief
    assert find({"TF_CONFIG": config(jobs, {"type": "chief", "index": 0})}).is_chief


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["expected such as", "got '{'"]),
        ("[]", ["expected such as"]),
        ('{"cluster": {"worker": ["a:1"]}}', ["expected such as"]),
        (config(task={"type": "worker", "index": "one"}), ["expected such as"]),
        (config(task={"type": "worker", "index": 2}), ["worker 2", "does not have"]),
        (config(task={"type": "worker", "index": -1}), ["worker -1", "does not have"]),
        (config(task={"type": "chief", "index": 0}), ["chief 0", "does not have"]),
        (config({"worker": ["a:1", "b:2"], "ps": ["c:1"]}), ["worker and maybe chief", "ps"]),
        (config({"worker": ["a:1", "b"]}), ["host:port", "'b'"]),
        (config({"worker": ["a:1", "a:1"]}), ["different host:port", "'a:1'"]),
    ],
)
def test_a_mistake_in_tf_config_is_one_sentence(find, text, words):
    with pytest.raises(InputError) as caught:
        find({"TF_CONFIG": text})
    assert str(caught.value).startswith("TF_CONFIG: ")
    assert all(word in str(caught.value) for word in words)


def test_slurms_tasks_are_in_the_order_of_its_nodes(find):
    cluster = find(SLURM)
    port = 20_000 + 123456 % 10_000
    hosts = ["node9", "node9", "node10", "node10", "other"]
    assert cluster.jobs == {"worker": [f"{host}:{port + k % 2 * (host != 'other')}" for k, host in enumerate(hosts)]}
    assert (cluster.job, cluster.number) == ("worker", 2)
    assert find({**SLURM, "SLURM_PROCID": "0", "SLURMD_NODENAME": "node9"}).is_chief


def test_slurm_variables_that_do_not_fit_each_other_are_one_sentence(find):
    with pytest.raises(InputError, match=r"task 2 runs on node9, where .*node10.* expected.*--distribution=block"):
        find({**SLURM, "SLURMD_NODENAME": "node9"})
    with pytest.raises(InputError, match=r"do not describe the workers.*TF_CONFIG"):
        find({**SLURM, "SLURM_STEP_NUM_TASKS": "4"})


def test_without_a_cluster_the_flag_is_named(find):
    with pytest.raises(InputError, match=r"--strategy=multi_worker: expected the variable TF_CONFIG, or.*srun"):
        find({})


@pytest.mark.parametrize("changes", [{"devices": ("CPU:0",)}, {"logical_cpus": 2}])
def test_flags_of_one_machine_go_without_multi_worker(tmp_path, changes):
    (name,) = changes
    with pytest.raises(InputError, match=f"--{name}: with --strategy=multi_worker .*CUDA_VISIBLE_DEVICES"):
        strategy_of(tiny.settings(tmp_path, strategy="multi_worker", **changes))
