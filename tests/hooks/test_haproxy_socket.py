from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from model_lifecycle.core.errors import Denied, Unavailable
from model_lifecycle.hooks import haproxy_socket
from model_lifecycle.hooks.haproxy_socket import Maps, RuntimeSocket
from model_lifecycle.hooks.router_files import RouterFolder


@pytest.fixture
def replying():
    """A socket double: answers every command with the same bytes and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def start(*replies: bytes, pause: float = 0.0) -> RuntimeSocket:
        def serve() -> None:
            for reply in replies:
                connection, _ = listener.accept()
                with connection, suppress(ConnectionError):
                    connection.recv(1000)
                    for piece in (reply[at : at + 1] for at in range(len(reply))) if pause else [reply]:
                        connection.sendall(piece)
                        time.sleep(pause)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return RuntimeSocket(f"127.0.0.1:{listener.getsockname()[1]}", "here")

    yield start
    for thread in threads:
        thread.join(5)
    listener.close()


def test_a_reply_is_read_to_its_end_over_tcp(replying):
    assert replying(b"one\ntwo\n\n").ask("show") == "one\ntwo"


@pytest.mark.parametrize("reply", [b"", b"0x1 m 1:1:0\n", b"0x1 m 1:1"])
def test_a_reply_that_breaks_off_is_unavailable_and_never_half_a_map(replying, reply):
    with pytest.raises(Unavailable):
        replying(reply).ask("show map #1")


def test_a_reply_that_drips_is_unavailable_when_its_time_is_over(replying, monkeypatch):
    monkeypatch.setattr(haproxy_socket, "SOCKET_TIMEOUT", 0.3)
    with pytest.raises(Unavailable, match="TimeoutError"):
        replying(b"x" * 40, pause=0.05).ask("show map #1")


def test_a_socket_of_too_low_a_level_is_denied(replying):
    with pytest.raises(Denied, match="runtime socket"):
        replying(b"Permission denied\n\n").ask("set map")


def test_a_change_that_is_answered_with_words_is_unavailable(replying):
    with pytest.raises(Unavailable, match="entry not found"):
        replying(b"entry not found.\n\n").change("set map")
    replying(b"\n").change("set map")


def test_no_socket_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="no runtime socket"):
        RuntimeSocket(str(tmp_path / "socket"), "here").ask("show info")


def test_a_file_that_is_no_socket_is_unavailable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        RuntimeSocket(str(tmp_path / "file"), "here").ask("show info")


def test_a_port_where_nobody_listens_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable):
        RuntimeSocket(f"127.0.0.1:{port}", "here").ask("show info")


def test_a_map_is_found_by_its_path_and_else_by_its_name(replying, tmp_path):
    line = "{} ({}/a.map) pattern loaded from file '{}/a.map' used by map at file 'x' line 1. curr_ver=0\n"
    both = line.format(4, "/elsewhere", "/elsewhere") + line.format(9, tmp_path, tmp_path) + "\n"
    other = line.format(4, "/elsewhere", "/elsewhere") + "\n"
    folder = RouterFolder(tmp_path, (), "here")
    for listed in (both, other):
        maps = Maps(replying(listed.encode(), b"0x55 m 1:1:0\n0x56 n 2:2:0\n\n"), folder)
        assert maps.read("a.map") == {"m": "1:1:0", "n": "2:2:0"}
