"""What is seen follows from what happens: a game as beginnings, ways of sampling and actions, and nothing else.

    match = Match(Playground.real_game("Pong"))
    match.begin(Begun("real", start=None, seed=0, sampling=None))
    match.act(2)
    match.panels[0].frame

Where both sides are shown, the real game plays the very ticks that the dream has drawn, so that they differ by what the
world has not learned, and by nothing else.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from data_gen.actions import checked_action
from data_gen.policy import Frames
from data_gen.show import with_caption
from neural_env.play.action_log import Acted, ActionLog, Begun, Event, InvalidLog, Sampled, note
from neural_env.play.playground import InvalidPlay, Playground
from neural_env.play.scene import Panel, SideName
from neural_env.play.sides import DreamSide, RealSide, Side, Ticks
from world_model.rollout_video import side_by_side
from world_model.simulator import SimulationDiverged, SimulatorConfig


class Match:
    """A game whose every change is an event, and noted.

    Args:
        playground: what there is to play.
        is_abandoned: asked while the real game is brought to a moment far away; true ends that in `Abandoned`.
    """

    def __init__(self, playground: Playground, is_abandoned: Callable[[], bool] = lambda: False) -> None:
        self.playground = playground
        self.events: list[Event] = []  # may be cleared before a beginning
        self.panels: tuple[Panel, ...] = ()
        self.step = 0  # of the episode
        self.action: int | None = None
        self.executed: tuple[int, ...] = ()
        self.seconds = 0.0  # that the last step took
        self._is_abandoned = is_abandoned
        self._sides: dict[SideName, Side] = {}

    @property
    def over(self) -> bool:
        """Whether there is nothing to act in: every side that is shown has ended, or none has begun."""
        return all(panel.over for panel in self.panels)

    @property
    def watched(self) -> Frames:
        """What an agent looks at: the dream as long as it goes on, then the real game."""
        running = [panel.frame for panel in self.panels if not panel.over]
        return [*running, self.panels[0].frame][0]

    def begin(self, begun: Begun) -> None:
        """Begin an episode in every side that is to be shown."""
        self.playground.require(begun.view)
        self._require_start(begun.start)
        names: tuple[SideName, ...] = ("dream", "real") if begun.view == "both" else (begun.view,)
        frames = {name: self._begun(name, begun) for name in names}
        self.panels = tuple(Panel(name, frames[name], 0.0, 0.0, False) for name in names)
        self.step, self.action, self.executed, self.seconds = 0, None, (), 0.0
        note(self.events, begun)

    def sample(self, config: SimulatorConfig) -> None:
        """Sample the dream in this way from the next step on."""
        side = self._sides.get("dream")
        if isinstance(side, DreamSide):
            side.sample(config)
        note(self.events, Sampled(config))

    def act(self, action: int) -> None:
        """One step of every side that has not ended."""
        action = checked_action(action, self.playground.game.num_actions)
        begun, executed = time.perf_counter(), None
        for place, panel in enumerate(self.panels):
            if not panel.over:
                executed = self._stepped(place, panel, action, executed)
        self.step, self.action = self.step + 1, action
        self.executed = () if executed is None else tuple(executed.tolist())
        self.seconds = time.perf_counter() - begun
        note(self.events, Acted(action, 1))

    def apply(self, event: Event) -> None:
        """Let happen what has happened before; of an `Acted`, one step."""
        if isinstance(event, Begun):
            self.begin(event)
        elif isinstance(event, Sampled):
            self.sample(event.config)
        else:
            self.act(event.action)

    def picture(self) -> Frames:
        """All sides side by side, enlarged, with a caption."""
        frames = side_by_side(*(panel.frame[None] for panel in self.panels))
        scores = "   ".join(f"{panel.side} {panel.score:+g}{' over' * panel.over}" for panel in self.panels)
        action = "" if self.action is None else self.playground.game.action_meanings[self.action]
        return with_caption(frames, [scores, f"step {self.step}  {action}"])

    def log(self, skipped: int) -> ActionLog:
        """All that was noted."""
        return ActionLog(self.playground.game.name, self.playground.digest, skipped, tuple(self.events))

    def require_fitting(self, log: ActionLog) -> None:
        """InvalidLog unless the log is of this game and this world."""
        here = self.playground
        if log.game != here.game.name:
            raise InvalidLog(f"the log is of {log.game}; this is {here.game.name}")
        if log.world not in (None, here.digest):
            raise InvalidLog(f"the log is of world {log.world[:12]}; {_world(here.digest)}: give its own with --world")
        needs_actions = max((event.action for event in log.events if isinstance(event, Acted)), default=0)
        if needs_actions >= here.game.num_actions:
            raise InvalidLog(f"the log has action {needs_actions}; {log.game} has 0 to {here.game.num_actions - 1}")

    def close(self) -> None:
        """Free what the sides hold."""
        while self._sides:
            self._sides.popitem()[1].close()

    # ---- parts -----------------------------------------------------------------------------------------------------

    def _require_start(self, start: int | None) -> None:
        starts = self.playground.starts
        if starts is None and start is not None:
            raise InvalidPlay(f"start is {start}; without a world there are no starts, and a new game is all there is")
        if starts is not None and (start is None or start >= len(starts)):
            raise InvalidPlay(f"start is {start}; this world has the starts 0 to {len(starts) - 1}")

    def _begun(self, name: SideName, begun: Begun) -> Frames:
        side = self._side(name)
        if isinstance(side, RealSide):
            return side.begin(begun.start, begun.seed)
        assert begun.start is not None
        if begun.sampling is not None:
            side.sample(begun.sampling)
        return side.begin(begun.start, begun.seed)

    def _side(self, name: SideName) -> Side:
        """Made when it is first shown."""
        if name not in self._sides:
            here = self.playground
            if name == "dream":
                assert here.dream is not None
                self._sides[name] = DreamSide(here.dream)
            else:
                self._sides[name] = RealSide(here.game, here.starts, self._is_abandoned)
        return self._sides[name]

    def _stepped(self, place: int, panel: Panel, action: int, executed: Ticks | None) -> Ticks:
        """The ticks that this side has played."""
        try:
            step = self._sides[panel.side].step(action, executed)
        except SimulationDiverged as fault:
            self._put(place, dataclasses.replace(panel, over=True))
            raise InvalidPlay(f"the dream broke off: {fault}") from fault
        score = panel.score + step.reward
        self._put(place, Panel(panel.side, step.frame, score, step.reward, step.over, step.surprise))
        return step.executed

    def _put(self, place: int, panel: Panel) -> None:
        self.panels = (*self.panels[:place], panel, *self.panels[place + 1 :])


def _world(digest: str | None) -> str:
    return "there is no world here" if digest is None else f"this is world {digest[:12]}"
