"""What every face of a dream holds before it needs a network: which world, which game, and how. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from neural_env.dream_options import DreamOptions
from neural_env.world_folders import WrongWorld, find_world, game_in

if TYPE_CHECKING:
    from neural_env.lanes import DreamLanes
    from neural_env.shared_world import SharedWorld
    from world_model.starts import Starts


class Dream:
    """A world that is found, but not loaded until it is asked for."""

    def __init__(self, options: DreamOptions) -> None:
        self.options = options
        self.folder = find_world(options)
        self.game = game_in(self.folder, options.game)
        self._shared: SharedWorld | None = None

    @property
    def observation_space(self) -> Any:  # a Box; Gymnasium's own types do not say that it holds frames
        """The twin's."""
        return gymnasium.spaces.Box(0, 255, (*self.game.frame_size, 3), np.uint8)

    @property
    def action_space(self) -> Any:
        """The twin's."""
        return gymnasium.spaces.Discrete(self.game.num_actions)

    @property
    def shared(self) -> SharedWorld:
        """The loaded world, which all environments of this process share."""
        if self._shared is None:
            from neural_env.shared_world import shared_world

            shared = shared_world(self.folder, self.options.device, self.options.dtype)
            if shared.world.config.game != self.game:
                raise WrongWorld(f"another world has come to lie in {self.folder}; make the environment anew")
            self._shared = shared
        return self._shared

    def lanes(self, generators: Sequence[np.random.Generator]) -> DreamLanes:
        """Lanes that dream of it, one for each generator."""
        from neural_env.lanes import DreamLanes

        return DreamLanes(self.shared, self.options, generators)


class Told:
    """What every face tells of its dream beyond what Gymnasium asks for."""

    dream: Dream

    @property
    def starts(self) -> Starts:
        """The real moments at which episodes begin; the twin can be brought to each of them."""
        return self.dream.shared.starts

    @property
    def reward_values(self) -> tuple[float, ...]:
        """The rewards that there are; `reward_probabilities` in `info` is in this order."""
        return self.dream.shared.world.config.outcome.rewards

    def get_action_meanings(self) -> list[str]:
        """The name of each action."""
        return list(self.dream.game.action_meanings)

    def get_keys_to_action(self) -> dict[tuple[str, ...], int]:
        """Held keys -> action, as `gymnasium.utils.play` wants them."""
        return self.dream.game.keys_to_action
