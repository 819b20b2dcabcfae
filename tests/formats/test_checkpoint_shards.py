"""Missing and short data files of a checkpoint are found by the names and sizes of its files."""

import pytest

from elmo_tf.formats.tensorflow_checkpoint import describe_missing_data


def made(folder, *files):
    for name, size in files:
        (folder / name).write_bytes(bytes(size))
    return str(folder / "model.ckpt-[60]")


def shard(place, number, size):
    return f"model.ckpt-[60].data-{place:05}-of-{number:05}", size


@pytest.mark.parametrize(
    "files",
    [
        [shard(0, 1, 100)],
        [shard(0, 1, 101)],
        [shard(0, 2, 60), shard(1, 2, 40)],
        [shard(0, 1, 100), shard(1, 2, 3)],  # the second is left of another checkpoint
        [shard(0, 1, 5), shard(0, 2, 60), shard(1, 2, 40)],
    ],
)
def test_complete_data_files_have_no_fault(tmp_path, files):
    assert describe_missing_data(made(tmp_path, *files), 100) is None


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "there is no model.ckpt-[60].data-00000-of-00001 beside its index"),
        ([("model.ckpt-[61].data-00000-of-00001", 100)], "there is no model.ckpt-[60].data-00000-of-00001 beside"),
        (
            [shard(0, 1, 99)],
            "expected 100 bytes or more by its index, got 99 in model.ckpt-[60].data-00000-of-00001: cut short",
        ),
        (
            [shard(0, 2, 60), shard(1, 2, 39)],
            "got 99 in model.ckpt-[60].data-00000-of-00002 and the 1 beside it: cut short",
        ),
        ([shard(1, 2, 60)], "model.ckpt-[60].data-00000-of-00002, one of 2 data files, is missing"),
        ([shard(1, 3, 60)], "model.ckpt-[60].data-00000-of-00003 and 1 more of 3 data files are missing"),
    ],
)
def test_a_missing_or_short_data_file_is_named(tmp_path, files, said):
    assert said in describe_missing_data(made(tmp_path, *files), 100)
