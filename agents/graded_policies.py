"""What a training run leaves behind on its way: policies with their scores, and a state to resume from."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from tqdm import tqdm

from agents.checkpoint import save_state
from agents.evaluate import evaluate
from agents.export import export_policy
from agents.network import FrameNetworkConfig
from agents.policy_file import load_policy
from agents.run_folder import RunFolder

# Far from the seeds that anyone would pass for training or recording.
_EVALUATION_SEED = 10_000_000


@dataclass(frozen=True)
class GradingConfig:
    """When to grade, and on what."""

    env: str  # where the agent learns
    real: str  # where it is to be good
    dreamt: tuple[str, dict[str, Any]] | None  # the dream that it is judged in beside, and how that is dreamed
    every: int  # steps
    episodes: int
    save_every: int  # steps
    steps: int  # of the whole run, for the progress bar
    network: FrameNetworkConfig
    training: dict[str, Any]  # what else a policy's record says of its making


class GradedPolicies(BaseCallback):
    """Every so many steps and at the end: keep a state to resume from, and the policy with its score.

    States are kept in between, too. At a grade the state comes first: judging takes minutes, and a run that is killed
    in it is judged when it goes on.
    """

    def __init__(self, config: GradingConfig, folder: RunFolder) -> None:
        super().__init__()
        self._config = config
        self._folder = folder

    def _on_training_start(self) -> None:
        self._next = (self.num_timesteps // self._config.every + 1) * self._config.every
        self._begun = self.num_timesteps
        self._saved = self._begun
        self._bar = tqdm(total=self._config.steps, initial=self._begun, unit="step", desc=str(self._folder.root))
        if self._is_of_a_grade() and self._path() not in self._folder.kept():
            self._grade()

    def _is_of_a_grade(self) -> bool:
        """Whether the run was stopped with a state that was to be graded."""
        config, lanes = self._config, self.training_env.num_envs
        due = self._begun >= config.every and self._begun % config.every < lanes
        return due or self._begun >= config.steps

    def _on_rollout_start(self) -> None:
        # Here all that was played has been learned from.
        if self.num_timesteps - self._saved >= self._config.save_every:
            self._save()

    def _on_step(self) -> bool:
        self._bar.update(self.num_timesteps - self._bar.n)
        if self._next <= self.num_timesteps < self._config.steps:  # what comes later is the end's
            self._next += self._config.every
            self._keep()
        return True

    def _on_training_end(self) -> None:
        if self.num_timesteps > self._begun:
            self._keep()
        self._bar.close()

    def _path(self) -> Path:
        return self._folder.policies / f"step_{self.num_timesteps:08d}"

    def _save(self) -> None:
        save_state(self._folder.state, self.model)
        self._saved = self.num_timesteps

    def _keep(self) -> None:
        self._save()
        self._grade()

    def _grade(self) -> None:
        """Score what will be on disk: the half-precision policy, loaded back."""
        config, path = self._config, self._path()
        training = {"env": config.env, "steps": self.num_timesteps, **config.training}
        with tempfile.TemporaryDirectory() as ungraded:  # whoever is killed here leaves no policy without a grade
            export_policy(self.model, Path(ungraded, path.name), config.network, training)
            policy = load_policy(Path(ungraded, path.name))
        score = evaluate(policy, config.real, config.episodes, _EVALUATION_SEED, progress=True)
        judged = {"evaluation": score.to_dict()}
        self.logger.record("evaluation/mean_return", score.mean)
        shown = {"real": f"{score.mean:+.1f}"}
        if config.dreamt is not None:
            dream, options = config.dreamt
            dreamt = evaluate(policy, dream, config.episodes, _EVALUATION_SEED, progress=True, **options)
            judged["evaluation_in_dream"] = dreamt.to_dict()
            self.logger.record("evaluation/dream_return", dreamt.mean)
            shown["dream"] = f"{dreamt.mean:+.1f}"
        export_policy(self.model, path, config.network, {**training, **judged})
        self._bar.set_postfix(shown)
        self.logger.dump(self.num_timesteps)
