import os

import pytest

from hodograph.errors import StorageError
from hodograph.exclusive import only_process


def in_another_process(work):
    """Exit code of a process that does this: 0, or 1 where a StorageError is raised."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except StorageError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def hold(folder):
    with only_process(folder):
        pass


def test_a_folder_is_held_by_one_process_and_free_again_after(tmp_path):
    folder = tmp_path / "new" / "folder"
    with only_process(folder):
        assert in_another_process(lambda: hold(folder)) == 1
        assert in_another_process(lambda: hold(tmp_path / "other")) == 0
        with pytest.raises(StorageError, match="another process of hodograph works in"):
            hold(folder)
    assert in_another_process(lambda: hold(folder)) == 0


def test_a_lock_goes_with_the_process_that_held_it(tmp_path):
    def die():
        with only_process(tmp_path):
            os._exit(9)

    assert in_another_process(die) == 9
    hold(tmp_path)


def test_a_place_for_no_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/x: cannot be written"):
        hold(tmp_path / "file" / "x")
