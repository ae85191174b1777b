"""Folders with the mode that was asked for, whole files, locks, and names brought to disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model_lifecycle.stores.disk import locked, make_folders, replace_file


def test_parents_get_the_mode_too(tmp_path: Path) -> None:
    make_folders(tmp_path / "a" / "b" / "c", 0o700)
    assert [folder.stat().st_mode & 0o777 for folder in tmp_path.rglob("*")] == [0o700] * 3


def test_folders_that_exist_are_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    make_folders(tmp_path / "a", 0o700)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        make_folders(tmp_path / "a" / "b", 0o700)


def test_every_folder_is_synced_before_the_rename_and_its_parent_after(tmp_path: Path) -> None:
    """Seen from outside, in the order of the system calls."""
    program = (
        "import sys; from pathlib import Path; from model_lifecycle.stores.local import LocalFilesystem;"
        "files = LocalFilesystem(Path(sys.argv[1])); files.put_bytes('m/stage/data/x', b'x');"
        "print('RENAME', flush=True); files.rename_exclusive('m/stage', 'm/final')"
    )
    trace = tmp_path / "trace"
    command = ["strace", "-y", "-o", trace, "-e", "trace=fsync,renameat2,write", sys.executable, "-c", program]
    subprocess.run([*command, tmp_path / "store"], check=True, capture_output=True)
    after = trace.read_text().partition('"RENAME')[2].splitlines()
    calls = [line.partition("(")[0] + line.partition("<")[2].partition(">")[0][-10:] for line in after]
    calls = [call for call in calls if call.startswith(("fsync", "renameat2"))]
    top = str(tmp_path / "store")
    assert calls == [f"fsync{(top + end)[-10:]}" for end in ("/m/stage", "/m/stage/data")] + [
        calls[2],
        f"fsync{(top + '/m')[-10:]}",
    ]
    assert calls[2].startswith("renameat2")
    assert f"{top}/m/stage/data/x" in trace.read_text().partition('"RENAME')[0]


def test_a_file_is_replaced_as_a_whole_with_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    for text, mode in (("old", 0o600), ("new", 0o644)):
        replace_file(tmp_path / "a", text, mode)
        assert ((tmp_path / "a").read_text(), (tmp_path / "a").stat().st_mode & 0o777) == (text, mode)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_that_cannot_be_replaced_stays_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(tmp_path / "a", "\ud800")
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_lock_is_held_by_one_and_free_after_it(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", 1), pytest.raises(TimeoutError), locked(tmp_path / "lock", 0.05):
        pass
    with locked(tmp_path / "lock", 0.05):
        pass


def test_a_lock_where_no_file_can_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "nowhere" / "lock", 1):
        pass
