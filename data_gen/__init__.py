"""data_gen: games and their twins, behaviours, the recorder, the on-disk format.

The first of five folders: it imports none of the others, and is the only place that imports an emulator. This module
stays light: specs, the format and its reader load neither Gymnasium nor an emulator.
"""

from data_gen.games import game, games
from data_gen.policy import Policy
from data_gen.spec import GameSpec

__all__ = ["GameSpec", "Policy", "game", "games"]
