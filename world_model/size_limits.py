"""How large a world may be, and how large each part of it.

Checked on its config, so that a file that asks for too much is refused before any memory is taken for it. The sum of
all parts is bounded where the networks are made (`world_model.blank_world`).
"""

from __future__ import annotations

from world_model.dynamics import DynamicsConfig
from world_model.grids import divided
from world_model.outcome import OutcomeConfig
from world_model.patch_tokenizer import CHANNELS, PatchTokenizerConfig
from world_model.plain_config import InvalidConfig
from world_model.world import TokenizerConfig, WorldConfig

MAX_LANE_BYTES = 256 << 20  # of one lane's memory ring, in single precision
MAX_ACTIONS = 256  # recordings hold an action in a byte

_MAX_TOKENS = 1024  # of a frame; attention costs their square
_MAX_WIDTH = 2048
_MAX_LAYERS = 64
_MAX_HEADS = 64
_MAX_MLP = 16
_MAX_REACH = 1024
_MAX_STACK = 16
_MAX_SIDE = 128
_MAX_PATCH = 32
_MAX_REWARDS = 256
_MAX_RECALL = 64
_MAX_GLYPHS = 65_536


def check_sizes(world: WorldConfig) -> None:
    """InvalidConfig, with the field's path, if anything is too large to be a world or cannot be one."""
    _within("world.game.action_meanings", len(world.game.action_meanings), 1, MAX_ACTIONS, " names")
    tokens, latent_width = _check_tokenizer(world.tokenizer, world.game.frame_size)
    _check_dynamics(world.dynamics, tokens, latent_width)
    _check_outcome(world.outcome)


def lane_bytes(dynamics: DynamicsConfig, tokens: int, latent_width: int) -> int:
    """Bytes of one lane's memory rings, of four bytes a number: keys and values, and the latents of the last frames."""
    looked_back = 2 * len(dynamics.time_layers) * dynamics.reach * dynamics.memory_width
    return 4 * tokens * (looked_back + dynamics.stack * latent_width)


def _check_tokenizer(config: TokenizerConfig, frame_size: tuple[int, int]) -> tuple[int, int]:
    """How many tokens a frame has, and how many numbers a token."""
    where = "world.tokenizer"
    if isinstance(config, PatchTokenizerConfig):
        _within(f"{where}.patch", config.patch, 1, _MAX_PATCH)
        return _check_tokens(frame_size, config.patch), CHANNELS * config.patch**2
    _within(f"{where}.side", config.side, 1, _MAX_SIDE)
    _within(f"{where}.channels", config.channels, 1, _MAX_WIDTH)
    _within(f"{where}.hidden", config.hidden, 1, _MAX_WIDTH)
    return _check_tokens(frame_size, config.side), config.channels


def _check_tokens(frame_size: tuple[int, int], side: int) -> int:
    try:
        rows, columns = divided(frame_size, side, "token")
    except ValueError as fault:
        raise InvalidConfig(f"world.tokenizer: {fault}") from fault
    if rows * columns > _MAX_TOKENS:
        raise InvalidConfig(f"world.tokenizer makes {rows * columns} tokens of a frame; expected at most {_MAX_TOKENS}")
    return rows * columns


def _check_dynamics(config: DynamicsConfig, tokens: int, latent_width: int) -> None:
    where = "world.dynamics"
    for name, least, most in (
        ("width", 1, _MAX_WIDTH),
        ("stack", 1, _MAX_STACK),
        ("local", 1, _MAX_WIDTH),
        ("glyphs", 1, _MAX_GLYPHS),
        ("layers", 1, _MAX_LAYERS),
        ("head_layers", 0, _MAX_LAYERS),
        ("heads", 1, _MAX_HEADS),
        ("mlp", 1, _MAX_MLP),
        ("reach", 1, _MAX_REACH),
        ("memory_width", 1, _MAX_WIDTH),
    ):
        _within(f"{where}.{name}", getattr(config, name), least, most)
    for name in ("width", "memory_width"):
        if getattr(config, name) % config.heads:
            raise InvalidConfig(f"{where}.{name} is {getattr(config, name)}; {config.heads} heads do not divide it")
    if list(config.time_layers) != sorted(set(config.time_layers) & set(range(config.layers))):
        raise InvalidConfig(
            f"{where}.time_layers is {_shown(config.time_layers)}; expected ascending numbers from 0 to "
            f"{config.layers - 1}"
        )
    if (needed := lane_bytes(config, tokens, latent_width)) > MAX_LANE_BYTES:
        raise InvalidConfig(f"{where} needs {needed} bytes of memory a lane; expected at most {MAX_LANE_BYTES}")


def _check_outcome(config: OutcomeConfig) -> None:
    where = "world.outcome"
    _within(f"{where}.token_width", config.token_width, 1, _MAX_WIDTH)
    _within(f"{where}.hidden", config.hidden, 1, _MAX_WIDTH)
    _within(f"{where}.recall", config.recall, 1, _MAX_RECALL)
    _within(f"{where}.rewards", len(config.rewards), 1, _MAX_REWARDS, " values")
    if list(config.rewards) != sorted(set(config.rewards)):
        raise InvalidConfig(f"{where}.rewards is {_shown(config.rewards)}; expected ascending values, each once")


def _within(path: str, number: int, least: int, most: int, unit: str = "") -> None:
    if not least <= number <= most:
        raise InvalidConfig(f"{path} is {_shown(number)}{unit}; expected {least} to {most}")


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
