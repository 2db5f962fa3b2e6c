"""neural-env: a learned game as a Gymnasium environment, beside the real one.

    import gymnasium as gym
    import neural_env

    env = gym.make("Real/Pong-v0")

Importing registers the ids and loads neither torch nor an emulator.
"""

from data_gen.registration import register_game, register_twins
from data_gen.spec import GameSpec

__version__ = "0.1.0"
__all__ = ["GameSpec", "register_game"]

register_twins()
