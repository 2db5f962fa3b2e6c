"""The games that come with the package, as data, and the table that user games join.

Knows nothing of Gymnasium: `data_gen.registration` turns these specs into environment ids.
"""

from __future__ import annotations

from data_gen.spec import GameSpec, InvalidSpec

_ATARI = {
    "emulator": "ale",
    "frame_size": (84, 84),
    "ticks_per_step": 4,
    "tick_rate": 60,
    "repeat_action_probability": 0.25,
    "max_pool": True,
    "max_noops": 30,
    "max_steps": 27_000,  # 108,000 ticks, the limit of ALE/*-v5
}

# 12x12 cells give 6x8 places, and the 4:3 picture keeps its shape.
_DOOM = {"emulator": "vizdoom", "frame_size": (72, 96), "ticks_per_step": 4, "tick_rate": 35}

_PADDLE = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
_BOXING = (
    *("NOOP", "FIRE", "UP", "RIGHT", "LEFT", "DOWN", "UPRIGHT", "UPLEFT", "DOWNRIGHT", "DOWNLEFT"),
    *("UPFIRE", "RIGHTFIRE", "LEFTFIRE", "DOWNFIRE", "UPRIGHTFIRE", "UPLEFTFIRE", "DOWNRIGHTFIRE", "DOWNLEFTFIRE"),
)
_BOXING_KEYS = {"UP": "w", "RIGHT": "d", "LEFT": "a", "DOWN": "s", "FIRE": "space"}
_DEATHMATCH = (
    "NOOP",
    "MOVE_FORWARD",
    "MOVE_BACKWARD",
    "TURN_LEFT",
    "TURN_RIGHT",
    "MOVE_LEFT",
    "MOVE_RIGHT",
    "ATTACK",
    "MOVE_FORWARD+TURN_LEFT",
    "MOVE_FORWARD+TURN_RIGHT",
    "MOVE_FORWARD+ATTACK",
    "TURN_LEFT+ATTACK",
    "TURN_RIGHT+ATTACK",
    "MOVE_LEFT+ATTACK",
    "MOVE_RIGHT+ATTACK",
)


def _boxing_keys() -> dict[str, int]:
    """Each action's held keys, read off its name (UPRIGHTFIRE -> w+d+space)."""
    return {
        "+".join(sorted(key for word, key in _BOXING_KEYS.items() if word in meaning)): action
        for action, meaning in enumerate(_BOXING)
    }


_BUILT_IN = (
    GameSpec(
        name="Pong",
        emulator_id="pong",
        action_meanings=_PADDLE,
        # RIGHT moves the paddle up.
        keys={"": 0, "space": 1, "w": 2, "s": 3, "space+w": 4, "s+space": 5},
        **_ATARI,  # type: ignore[arg-type]
    ),
    GameSpec(
        name="Breakout",
        emulator_id="breakout",
        action_meanings=_PADDLE[:4],
        keys={"": 0, "space": 1, "d": 2, "a": 3},
        **_ATARI,  # type: ignore[arg-type]
    ),
    GameSpec(
        name="Boxing",
        emulator_id="boxing",
        action_meanings=_BOXING,
        keys=_boxing_keys(),
        **_ATARI,  # type: ignore[arg-type]
    ),
    GameSpec(
        name="DoomTakeCover",
        emulator_id="take_cover",
        action_meanings=("NOOP", "MOVE_LEFT", "MOVE_RIGHT"),
        max_steps=525,  # 2,100 ticks
        keys={"": 0, "a": 1, "d": 2},
        **_DOOM,  # type: ignore[arg-type]
    ),
    GameSpec(
        name="DoomBasic",
        emulator_id="basic",
        action_meanings=("NOOP", "MOVE_LEFT", "MOVE_RIGHT", "ATTACK"),
        max_steps=75,  # 300 ticks
        keys={"": 0, "a": 1, "d": 2, "space": 3},
        **_DOOM,  # type: ignore[arg-type]
    ),
    GameSpec(
        name="DoomDefendCenter",
        emulator_id="defend_the_center",
        action_meanings=("NOOP", "TURN_LEFT", "TURN_RIGHT", "ATTACK"),
        max_steps=525,  # 2,100 ticks
        keys={"": 0, "a": 1, "d": 2, "space": 3},
        **_DOOM,  # type: ignore[arg-type]
    ),
    GameSpec(
        name="DoomDeathmatch",
        # Not the scenario "deathmatch": its map has no deathmatch starts, and the engine crashes there with bots.
        emulator_id="cig",
        action_meanings=_DEATHMATCH,
        max_steps=1_050,  # 4,200 ticks
        keys={"": 0, "w": 1, "s": 2, "a": 3, "d": 4, "q": 5, "e": 6, "space": 7, "a+w": 8, "d+w": 9,
              "space+w": 10, "a+space": 11, "d+space": 12, "q+space": 13, "e+space": 14},
        emulator_kwargs={"bots": 7, "map": "map01", "frag_reward": 1.0},  # the scenario itself gives no reward
        **_DOOM,  # type: ignore[arg-type]
    ),
)  # fmt: skip

_GAMES: dict[str, GameSpec] = {spec.name: spec for spec in _BUILT_IN}


class UnknownGame(KeyError):
    """No game of that name."""

    def __str__(self) -> str:
        return str(self.args[0])


def games() -> tuple[GameSpec, ...]:
    """All known games: those of the package, then those added since.

    Example:
        >>> games()[0].name
        'Pong'
    """
    return tuple(_GAMES.values())


def game(name: str) -> GameSpec:
    """The game called `name`.

    Example:
        >>> game("Pong").action_meanings
        ('NOOP', 'FIRE', 'RIGHT', 'LEFT', 'RIGHTFIRE', 'LEFTFIRE')
    """
    if name not in _GAMES:
        raise UnknownGame(
            f"no game is called {name!r}; known are {', '.join(_GAMES)}. "
            "Your own game joins them with neural_env.register_game(spec)."
        )
    return _GAMES[name]


def add_game(spec: GameSpec) -> None:
    """Let `spec` be found by name; adding the same spec again is fine, another one under its name is not."""
    if _GAMES.get(spec.name, spec) != spec:
        raise InvalidSpec(f"a different game is already called {spec.name!r}; choose another name")
    _GAMES[spec.name] = spec
