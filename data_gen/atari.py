"""The Arcade Learning Environment, one tick at a time, with its own stickiness off."""

from __future__ import annotations

from typing import Any

import ale_py
import numpy as np

from data_gen.emulator import Emulator
from data_gen.policy import Frames
from data_gen.spec import GameSpec, InvalidSpec


class AtariEmulator(Emulator):
    """An ALE game. Deterministic: the seed is set, but these games do not use it once stickiness is off."""

    def __init__(self, spec: GameSpec) -> None:
        if spec.emulator_kwargs:
            raise InvalidSpec(f"GameSpec.emulator_kwargs: an Atari game takes none; got {sorted(spec.emulator_kwargs)}")
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.ale = ale_py.ALEInterface()
        self.ale.setFloat("repeat_action_probability", 0.0)
        # Loading takes 0.1 s and seeds the machine; later resets restore the same boot state in 5 ms.
        self.ale.setInt("random_seed", 0)
        if spec.emulator_id not in ale_py.roms.get_all_rom_ids():
            raise InvalidSpec(f"GameSpec.emulator_id: ale-py has no ROM {spec.emulator_id!r}; names are like 'pong'")
        self.ale.loadROM(ale_py.roms.get_rom_path(spec.emulator_id))  # type: ignore[arg-type]
        self._actions = self._legal_actions(spec)
        height, width = self.ale.getScreenDims()
        self._screen = np.empty((height, width, 3), np.uint8)

    def _legal_actions(self, spec: GameSpec) -> list[ale_py.Action]:
        minimal = [action.name for action in self.ale.getMinimalActionSet()]
        if unknown := [name for name in spec.action_meanings if name not in minimal]:
            raise InvalidSpec(f"GameSpec.action_meanings: {spec.emulator_id} has no {unknown}; it has {minimal}")
        return [getattr(ale_py.Action, name) for name in spec.action_meanings]

    def reset(self, seed: int) -> None:
        self.ale.reset_game()

    def tick(self, action: int) -> tuple[float, bool]:
        reward = self.ale.act(self._actions[action])
        return float(reward), bool(self.ale.game_over(with_truncation=False))

    def screen(self) -> Frames:
        self.ale.getScreenRGB(self._screen)
        return self._screen

    def info(self) -> dict[str, Any]:
        return {"lives": self.ale.lives()}

    def close(self) -> None:
        pass

    def clone_state(self) -> Any:
        return self.ale.cloneState(include_rng=True)

    def restore_state(self, state: Any) -> None:
        self.ale.restoreState(state)
