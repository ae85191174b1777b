from __future__ import annotations

import threading

from model_lifecycle.hooks.once import once


class Asker:
    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    @once
    def answer(self) -> object:
        """What is asked."""
        found = self.answers.pop(0)
        if isinstance(found, threading.Event):
            found.wait(30)
        return found


def test_it_is_asked_once():
    asker = Asker(1, 2)
    assert (asker.answer, asker.answer) == (1, 1)
    assert Asker.answer.__doc__ == "What is asked."


def test_one_that_hangs_keeps_no_other_waiting():
    hangs = threading.Event()
    thread = threading.Thread(target=lambda: Asker(hangs).answer)
    thread.start()
    try:
        assert Asker(7).answer == 7
    finally:
        hangs.set()
        thread.join()
