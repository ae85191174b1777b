from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Denied, Invalid, Unavailable
from model_lifecycle.hooks import router_files
from model_lifecycle.hooks.router_files import RouterFolder

HOLD = """
import sys, time
from pathlib import Path
from model_lifecycle.hooks.router_files import RouterFolder
with RouterFolder(Path(sys.argv[1]), ("a.map",), "here").lock():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.map").touch()
    return RouterFolder(tmp_path, ("a.map",), "here")


def test_a_folder_without_the_files_is_invalid(tmp_path):
    with pytest.raises(Invalid, match=r"no b\.map"), RouterFolder(tmp_path, ("b.map",), "here").lock():
        pass


def test_one_writer_at_a_time_loses_no_line(folder):
    def add(number):
        with folder.lock():
            folder.replace("a.map", folder.read("a.map") + f"{number}\n")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert sorted(map(int, folder.read("a.map").split())) == list(range(40))


def test_a_lock_that_another_worker_holds_is_unavailable_and_free_once_that_one_is_killed(folder, monkeypatch):
    monkeypatch.setattr(router_files, "LOCK_TIMEOUT", 0.3)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder.path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(Unavailable, match="another worker"), folder.lock():
                pass
        finally:
            os.kill(holder.pid, signal.SIGKILL)
    with folder.lock():
        pass


def test_a_replaced_file_can_be_read_by_the_router_and_leaves_nothing_else(folder):
    folder.replace("a.map", "x 1\n")
    assert folder.read("a.map") == "x 1\n"
    assert (folder.path / "a.map").stat().st_mode & 0o777 == 0o644
    assert [each.name for each in folder.path.iterdir()] == ["a.map"]


def test_a_file_that_is_not_there_is_empty(folder):
    assert folder.read("b.map") == ""


def test_a_file_that_cannot_be_written_is_unavailable_and_the_old_one_stays(folder):
    (folder.path / "dir").mkdir()
    (folder.path / "dir" / "full").touch()
    with pytest.raises(Unavailable, match="cannot be written"):
        folder.replace("dir", "x")
    assert sorted(each.name for each in folder.path.iterdir()) == ["a.map", "dir"]
    with pytest.raises(Unavailable, match="cannot be read"):
        folder.read("dir")


def test_a_path_that_is_no_folder_is_invalid():
    with pytest.raises(Invalid):
        RouterFolder(Path("/nowhere"), ("a.map",), "here").check()


def test_a_folder_that_cannot_be_locked_is_denied_and_says_where(folder):
    (folder.path / ".lock").mkdir()
    with pytest.raises(Denied, match=r"\.lock cannot be locked: Is a directory"), folder.lock():
        pass
