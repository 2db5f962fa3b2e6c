"""ViZDoom, one tick at a time, with its traps handled.

What replay guarantees, measured with VizDoom 1.3.2 on Linux: equal seeds and equal ticks give byte-equal frames, equal
rewards and equal game variables. It holds in a fresh process, after other episodes in the same process (abandoned or
played to their end), beside other games that run at the same time, and in single player as in a deathmatch with bots.
Other versions or builds of the engine may play differently: a recording names the version that made it.

The engine is a process of its own. Its state can be neither cloned nor restored; `Twin.replay` reaches the same moment.

Traps, and what is done about them:

- After the last tick the engine has no picture. The screen stays the last real one and `info["screen_is_stale"]` is
  True: such a frame shows the moment before the end.
- In a deathmatch `new_episode` does not start the match anew (frags, deaths and the generator go on), so each reset
  starts the engine anew: half a second instead of a few milliseconds.
- The engine drops `_vizdoom/` and `_vizdoom.ini` where it is started. It is started in a temporary directory.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import vizdoom

from data_gen.emulator import Emulator
from data_gen.policy import Frames
from data_gen.spec import GameSpec, InvalidSpec

_SCREEN = (120, 160, 3)  # the smallest 4:3 picture the engine draws

# Everybody against everybody, back in the game a second after a death, far from the others.
_DEATHMATCH_ARGS = "-host 1 -deathmatch +sv_forcerespawn 1 +sv_spawnfarthest 1 +sv_nocrouch 1"
_DEATHMATCH_VARIABLES = ("FRAGCOUNT", "DEATHCOUNT", "HEALTH")

# The working directory belongs to the whole process: one engine starts at a time.
_starting = threading.Lock()


@dataclass(frozen=True)
class DoomOptions:
    """What `GameSpec.emulator_kwargs` may hold for a Doom game."""

    bots: int = 0  # in-engine opponents; more than 0 makes it a deathmatch, whose map needs deathmatch starts
    map: str | None = None  # a map of the scenario, such as "map02"; None: the scenario's own choice
    frag_reward: float = 0.0  # for each frag, besides what the scenario gives; a suicide costs nothing

    @classmethod
    def of(cls, spec: GameSpec) -> DoomOptions:
        """The options of `spec`; unknown names and impossible values are refused."""
        known = tuple(cls.__dataclass_fields__)
        if unknown := sorted(set(spec.emulator_kwargs) - set(known)):
            raise InvalidSpec(f"GameSpec.emulator_kwargs: a Doom game has no {unknown}; it has {list(known)}")
        options = cls(**spec.emulator_kwargs)
        if not isinstance(options.bots, int) or not 0 <= options.bots <= 15:
            raise InvalidSpec(f"GameSpec.emulator_kwargs: bots is {options.bots!r}; expected 0 to 15")
        return options


class DoomEmulator(Emulator):
    """A ViZDoom scenario. Rewards are those of the scenario, unscaled; the engine's own time limit is off.

    A death ends a single-player game. A deathmatch goes on after a death, until the twin's time limit.
    """

    def __init__(self, spec: GameSpec) -> None:
        self._options = DoomOptions.of(spec)
        pressed = [_buttons_of(meaning) for meaning in spec.action_meanings]
        buttons = sorted({button for held in pressed for button in held}, key=lambda button: button.value)
        self._actions = [[float(button in held) for button in buttons] for held in pressed]
        self._game = self._configured(spec, buttons)
        self._variables = {v.name.lower(): v for v in self._game.get_available_game_variables()}
        self._screen: Frames = np.zeros(_SCREEN, np.uint8)
        self._stale = False

    def reset(self, seed: int) -> None:
        self._game.set_seed(seed)
        if self._options.bots:
            self._game.close()
            self._start()
            for _ in range(self._options.bots):
                self._game.send_game_command("addbot")
        else:
            if not self._game.is_running():
                self._start()
                self._game.set_seed(seed)
            self._game.new_episode()
        self._look()

    def tick(self, action: int) -> tuple[float, bool]:
        reward = float(self._game.make_action(self._actions[action], 1))
        self._look()
        return reward, bool(self._game.is_episode_finished())

    def screen(self) -> Frames:
        return self._screen

    def info(self) -> dict[str, Any]:
        variables = {name: float(self._game.get_game_variable(v)) for name, v in self._variables.items()}
        return {"screen_is_stale": self._stale, **variables}

    def close(self) -> None:
        self._game.close()

    def _configured(self, spec: GameSpec, buttons: list[vizdoom.Button]) -> vizdoom.DoomGame:
        game, options = vizdoom.DoomGame(), self._options
        game.load_config(str(_scenario_file(spec.emulator_id)))
        game.set_window_visible(False)
        game.set_mode(vizdoom.Mode.PLAYER)
        game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
        game.set_sound_enabled(False)
        game.set_episode_timeout(0)
        game.set_available_buttons(buttons)
        # The engine reads and writes its settings here; the null device keeps a user's own from changing the game.
        game.set_doom_config_path(os.devnull)
        if options.map:
            game.set_doom_map(options.map)
        if options.frag_reward:
            game.set_frag_reward(options.frag_reward)
        if options.bots:
            game.add_game_args(_DEATHMATCH_ARGS)
            for name in _DEATHMATCH_VARIABLES:
                game.add_available_game_variable(getattr(vizdoom.GameVariable, name))
        return game

    def _start(self) -> None:
        # The engine needs the directory only while it starts, so that even a killed process leaves nothing behind.
        with (
            _starting,
            tempfile.TemporaryDirectory(prefix="neural-env-doom-", ignore_cleanup_errors=True) as directory,
            contextlib.chdir(directory),
        ):
            self._game.init()

    def _look(self) -> None:
        state = self._game.get_state()
        self._stale = state is None
        if state is not None:
            self._screen = state.screen_buffer


def _buttons_of(meaning: str) -> frozenset[vizdoom.Button]:
    """The buttons that an action's name presses: those joined by "+", none for NOOP."""
    known: dict[str, vizdoom.Button] = vizdoom.Button.__members__
    names = [] if meaning == "NOOP" else meaning.split("+")
    if unknown := [name for name in names if name not in known]:
        raise InvalidSpec(
            f"GameSpec.action_meanings: {meaning!r} names no Doom button {unknown}; there are {list(known)}"
        )
    return frozenset(known[name] for name in names)


def _scenario_file(emulator_id: str) -> Path:
    folder = Path(vizdoom.scenarios_path)
    scenarios = sorted(path.stem for path in folder.glob("*.cfg"))
    if emulator_id not in scenarios:
        raise InvalidSpec(f"GameSpec.emulator_id: ViZDoom has no scenario {emulator_id!r}; it has {scenarios}")
    return folder / f"{emulator_id}.cfg"
