"""Signs of life: whoever waits for an answer hears that the engine works on it, whatever that takes."""

from __future__ import annotations

from collections.abc import Callable

from ...contract.protocol import PULSE_S, Message, Progress
from .inbox import Inbox


class Pulse:
    """Says again and again how far the request in hand is."""

    def __init__(self, send: Callable[[Message], None], inbox: Inbox) -> None:
        self._send = send
        self._inbox = inbox
        self._latest = Progress(0, "read", 0.0)

    def send(self, message: Message) -> None:
        """Pass a message on, and remember how far its request is."""
        if isinstance(message, Progress) and message.part is None:
            self._latest = Progress(message.id, message.stage, message.fraction)
        self._send(message)

    def run(self) -> None:
        """Until the inbox closes. Runs in a thread of its own."""
        while not self._inbox.wait_closed(PULSE_S):
            request = self._inbox.first
            if request is not None:
                latest = self._latest
                self._send(latest if latest.id == request.id else Progress(request.id, "wait", 0.0))
