"""Work that can be left behind where it takes too long."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def started(action: Callable[[], T]) -> Future[T]:
    """Run an action in a thread that does not keep the program from ending, however it hangs."""
    ended: Future[T] = Future()

    def run() -> None:
        try:
            ended.set_result(action())
        except BaseException as error:  # noqa: BLE001  (it is raised where the result is asked for)
            ended.set_exception(error)

    Thread(target=run, daemon=True).start()
    return ended
