"""A toy game to be played, its dream of random weights, and players for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_gen.games import add_game
from data_gen.policy import Actions, Frames, Lanes
from data_gen.spec import GameSpec
from neural_env.dream_options import DreamOptions
from neural_env.play.playground import Playground
from toy_dream import TOY, toy_world
from toy_game import action_of

# A name of its own: the dream of a game can be seen beside it only if the very same game is known here.
PLAYED = TOY.replace(name="PlayedCounting")
BEGINNING, MIDDLE = 0, 3  # starts of the toy world


def toy_playground(folder: Path, game: GameSpec = PLAYED) -> Playground:
    """Dream and real game of a toy."""
    add_game(game)
    return Playground.dream_of(DreamOptions(world=str(toy_world(folder, game))))


class Follower:
    """Names the column after the one that it sees lit."""

    def reset(self, lanes: Lanes, seeds: npt.NDArray[np.int64]) -> None:
        """Remembers nothing."""

    def __call__(self, frames: Frames, lanes: Lanes) -> Actions:
        return np.array([(action_of(frame) + 1) % PLAYED.num_actions for frame in frames], np.int64)


PLAYERS = {"follower": Follower}
