"""neural-env: a learned game as a Gymnasium environment, beside the real one.

    import gymnasium as gym
    import neural_env

    real = gym.make("Real/Pong-v0")
    dream = gym.make("Dream/Pong-v0")

Importing registers the ids and loads neither torch nor an emulator.
"""

from data_gen.registration import register_twins
from data_gen.spec import GameSpec
from neural_env.registration import register_dream, register_dreams, register_game

__version__ = "0.1.0"
__all__ = ["GameSpec", "register_dream", "register_game"]

register_twins()
register_dreams()
