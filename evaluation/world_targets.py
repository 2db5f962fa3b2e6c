"""What a world has to reach, per game, as data: the key of a report's row and its target."""

from __future__ import annotations

from evaluation.report import Target

_PONG = {
    "tokenizer/psnr": Target(least=48),
    "tokenizer/psnr_pooled": Target(least=48),
    "tokenizer/psnr_moving": Target(least=40),
    "tokenizer/psnr_moving_pooled": Target(least=40),
    "tokenizer/ball": Target(least=0.995),
    "tokenizer/ghosts": Target(most=0.001),
    "open_loop/ball_within_2_at_1": Target(least=0.98),
    "open_loop/ball_within_2_at_8": Target(least=0.90),
    "open_loop/own_paddle_within_1_at_100": Target(least=0.98),
    "forced/gain": Target(least=8),
    "open_loop/gain_8": Target(least=4),
    "open_loop/above_seed_frame": Target(least=100),
    "forced/reward_f1": Target(least=0.99),
    "open_loop/reward_f1_16": Target(least=0.95),
    "control/right_direction": Target(least=0.99),
    "control/noop": Target(least=0.99),
    "lanes/dead": Target(most=0),
    "lanes/score_follows": Target(least=0.99),
    "lanes/ends": Target(least=1),
    "speed/constant_cost": Target(least=0.99, most=1.01),
}
_DOOM_TAKE_COVER = {
    "forced/gain": Target(least=1.5),
    "open_loop/gain_4": Target(least=2),
    "forced/end_f1_3": Target(least=0.9),
    "futures/gain": Target(least=0, whole_interval=True),
    "futures/flatness": Target(least=0.05),
    "lanes/dead": Target(most=0),
}
_TARGETS = {"Pong": _PONG, "DoomTakeCover": _DOOM_TAKE_COVER}


def world_targets(game_name: str) -> dict[str, Target]:
    """The targets for worlds of a game; none where nobody has set any.

    Example:
        >>> world_targets("Pong")["forced/gain"].text("dB")
        '>= 8 dB'
    """
    return _TARGETS.get(game_name, {})
