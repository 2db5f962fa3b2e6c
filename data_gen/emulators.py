"""Which emulator a game asks for."""

from __future__ import annotations

from data_gen.emulator import Emulator
from data_gen.spec import GameSpec


def make_emulator(spec: GameSpec) -> Emulator:
    """The emulator that `spec` asks for; each is imported only when a game needs it."""
    if spec.emulator == "ale":
        from data_gen.atari import AtariEmulator

        return AtariEmulator(spec)
    if spec.emulator == "vizdoom":
        from data_gen.doom import DoomEmulator

        return DoomEmulator(spec)
    from data_gen.gym_game import GymEmulator

    return GymEmulator(spec)
