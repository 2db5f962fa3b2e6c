"""Run the arms, several at a time, each in a process of its own; what is done is kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import gymnasium
from gymnasium.envs.registration import EnvSpec
from tqdm import tqdm

from data_gen.die_with_parent import die_with_parent
from evaluation.transfer.arms import run_arm
from evaluation.transfer.outcome import Arm, Trained
from evaluation.transfer.setting import Setting
from world_model.training.allocator import one_thread

Run = tuple[Setting, Arm, int]  # the seed last


def run_all(wanted: Sequence[Run], workers: int) -> list[Trained]:
    """All runs of a game, in the order in which they are wanted; one at a time needs no other process."""
    if workers == 1:
        return [run_arm(*each) for each in tqdm(wanted, desc="runs", unit="run")]
    setting = wanted[0][0]
    specs = [gymnasium.spec(each) for each in (setting.dream_id, setting.real_id)]
    with ProcessPoolExecutor(min(workers, len(wanted)), get_context("spawn"), _begin, (specs,)) as pool:
        futures = {pool.submit(run_arm, *each): place for place, each in enumerate(wanted)}
        done: dict[int, Trained] = {}
        try:
            for future in tqdm(as_completed(futures), total=len(futures), desc="runs", unit="run"):
                done[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done[place] for place in range(len(wanted))]


def _begin(specs: Sequence[EnvSpec]) -> None:
    """A process that knows the user's games, too."""
    die_with_parent()
    one_thread()
    for spec in specs:
        gymnasium.registry[spec.id] = spec
