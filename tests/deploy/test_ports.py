"""Who answers on a port that several processes of a service share."""

import select
import socket
from contextlib import ExitStack

from deploy.local.local_stack import Options, listen


def test_each_of_them_is_called_about_as_often() -> None:
    with ExitStack() as stack:
        options = Options(workers={"ingest": 2}, share_http=True)
        listening = listen("ingest", options, lambda _: None, stack)
        place = {one.getsockname() for one in listening}
        assert (len(listening), len(place)) == (2, 1)
        for _ in range(200):
            stack.enter_context(socket.create_connection(*place))
        called = [_accepted(one, stack) for one in listening]
        assert sum(called) == 200
        assert min(called) > 50


def test_who_does_not_share_has_one() -> None:
    with ExitStack() as stack:
        (one,) = listen("ingest", Options(workers={"ingest": 2}), lambda _: None, stack)
        assert not one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)


def _accepted(listening: socket.socket, stack: ExitStack) -> int:
    number = 0
    while select.select([listening], [], [], 0)[0]:
        stack.enter_context(listening.accept()[0])
        number += 1
    return number
