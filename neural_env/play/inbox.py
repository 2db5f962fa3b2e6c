"""What a player on the page asks for, within limits: held keys count at once, orders wait for the next turn.

A flood of messages costs next to nothing: beyond the rate they are taken in slowly and dropped unread, except for the
newest, which is read at the next turn, so that the latest action wins.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from data_gen.spec import GameSpec
from neural_env.play.keys import action_of
from neural_env.play.messages import (
    SPEED,
    BadMessage,
    Begin,
    Film,
    Hold,
    Keys,
    Message,
    Pause,
    PlayAs,
    Sample,
    Show,
    SingleStep,
    Speed,
    parsed,
)

MAX_MESSAGES_A_SECOND = 120  # that are read one by one
MAX_FAULTS = 100  # messages that could not be understood, until the player is dismissed
MAX_ORDERS = 32  # that wait for the next turn
MAX_COMPLAINTS = 16  # that wait to be sent

Order = Begin | Show | PlayAs | Sample | Film


class Inbox:
    """One player's wishes."""

    def __init__(self, game: GameSpec, clock: Callable[[], float] = time.monotonic) -> None:
        self.paused = False
        self.speed = 1.0
        self.changes = 0  # of pause and speed, which are to be seen even while time stands still
        self.faults = 0
        self.complaints: deque[str] = deque(maxlen=MAX_COMPLAINTS)
        self.heard = clock()  # when the last message came
        self._game, self._clock = game, clock
        self._orders: deque[Order] = deque()
        self._held: tuple[str, ...] = ()
        self._button: int | None = None
        self._single_steps = 0
        self._unread: list[str | None] = []
        self._second, self._in_second = int(self.heard), 0

    @property
    def excess(self) -> int:
        """How many messages more have come in this second than are read."""
        return max(0, self._in_second - MAX_MESSAGES_A_SECOND)

    @property
    def action(self) -> int:
        """What a human wants to do now: the button that is held, else what the keys say."""
        return action_of(self._game, self._held) if self._button is None else self._button

    def hear(self, text: str | None) -> None:
        """A message has come; None: a binary one."""
        self.heard = self._clock()
        if int(self.heard) != self._second:
            self._second, self._in_second = int(self.heard), 0
        self._in_second += 1
        if self.excess:
            self._unread = [text]
        else:
            self._unread = []
            self._read(text)

    def orders(self) -> list[Order]:
        """Everything that waits, which then waits no more."""
        if self._unread:
            self._read(self._unread.pop())
        return [self._orders.popleft() for _ in range(len(self._orders))]

    def is_step_due(self) -> bool:
        """Whether time goes on in this turn; a single step that was asked for is then taken."""
        if not self.paused:
            return True
        self._single_steps, due = max(0, self._single_steps - 1), self._single_steps > 0
        return due

    def complain(self, kind: str, fault: Exception) -> None:
        """A sentence for the player, by the name of what went wrong."""
        self.complaints.append(f"{kind}: {fault}")

    def _read(self, text: str | None) -> None:
        try:
            self._take(parsed(text))
        except BadMessage as fault:
            self.faults += 1
            self.complain("bad message", fault)

    def _take(self, message: Message) -> None:
        if isinstance(message, Keys):
            self._held = message.held
        elif isinstance(message, Hold):
            self._button = self._checked(message.action)
        elif isinstance(message, Speed):
            self.speed = SPEED.nearest(message.factor)
            self.changes += 1
        elif isinstance(message, Pause):
            self.paused, self._single_steps = message.paused, 0
            self.changes += 1
        elif isinstance(message, SingleStep):
            self._single_steps = min(self._single_steps + 1, MAX_ORDERS)
        elif len(self._orders) < MAX_ORDERS:
            self._orders.append(message)
        else:
            raise BadMessage(f"{MAX_ORDERS} orders wait already; this one is dropped")

    def _checked(self, action: int | None) -> int | None:
        if action is not None and not 0 <= action < self._game.num_actions:
            raise BadMessage(f"action is {action}; expected 0 to {self._game.num_actions - 1}")
        return action
