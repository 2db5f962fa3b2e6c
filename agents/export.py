"""Between an SB3 agent and a policy file: which tensor of SB3's is which of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from agents.network import FIRST_LAYER, FrameNetworkConfig, of_motion
from agents.policy_file import InvalidPolicy, PolicyRecord, load_weights, read_record, save_policy

# SB3's prefix -> ours (agents.frozen.PolicyHead)
_PPO_PARTS = {"features_extractor.network.": "features.", "action_net.": "actions."}
_DQN_PARTS = {"q_net.features_extractor.network.": "features.", "q_net.q_net.0.": "actions."}
_LOGIT_AS_VALUE = 0.02
_UNTRIED = -1.0  # below what the policy earns, lest what it does not do looks better once what it does is judged


def _parts(agent: BaseAlgorithm) -> dict[str, str]:
    if isinstance(agent, PPO):
        return _PPO_PARTS
    if isinstance(agent, DQN):
        return _DQN_PARTS
    raise InvalidPolicy(f"{type(agent).__name__} agents have no policy file; expected PPO or DQN")


def policy_weights(agent: BaseAlgorithm) -> dict[str, Tensor]:
    """The tensors with which the agent acts, under our names."""
    parts, state = _parts(agent), agent.policy.state_dict()
    return {
        ours + name.removeprefix(theirs): tensor
        for theirs, ours in parts.items()
        for name, tensor in state.items()
        if name.startswith(theirs)
    }


def export_policy(agent: BaseAlgorithm, path: Path, network: FrameNetworkConfig, training: dict[str, Any]) -> None:
    """Write the agent's acting part as a policy file. DQN acts greedily, PPO draws from its distribution."""
    is_value_based = isinstance(agent, DQN)
    record = PolicyRecord(
        kind="network",
        num_actions=int(agent.action_space.n),  # type: ignore[attr-defined]
        algorithm="dqn" if is_value_based else "ppo",
        network=network,
        deterministic=is_value_based,
        epsilon=0.01 if is_value_based else 0.0,  # a greedy agent can hang in a loop for ever
        training=training,
    )
    save_policy(path, record, policy_weights(agent))


def start_from(agent: BaseAlgorithm, path: Path) -> None:
    """Put the weights of a policy file into a fresh agent; its value function, if any, starts anew."""
    weights, record = load_weights(path), read_record(path)
    network: FrameNetworkConfig = agent.policy_kwargs["features_extractor_kwargs"]["config"]
    if network.motion and not record.network.motion:
        weights[FIRST_LAYER] = of_motion(weights[FIRST_LAYER])
    elif record.network.motion and not network.motion:
        raise InvalidPolicy(f"{path} sees motion, and this agent's network does not; let it, by network.motion")
    if isinstance(agent, DQN) and record.algorithm != "dqn":
        # Logits order the actions as values would, but are no values, and wrong ones die out over many target copies.
        weights |= {name: tensor * _LOGIT_AS_VALUE for name, tensor in weights.items() if name.startswith("actions.")}
        weights["actions.bias"] = weights["actions.bias"] + _UNTRIED
    theirs = {ours: sb3 for sb3, ours in _parts(agent).items()}
    state = agent.policy.state_dict()
    for name, tensor in weights.items():
        prefix = next(ours for ours in theirs if name.startswith(ours))
        target = theirs[prefix] + name.removeprefix(prefix)
        if target not in state or state[target].shape != tensor.shape:
            raise InvalidPolicy(f"{path}: {name} {tuple(tensor.shape)} does not fit this agent's network")
        state[target] = tensor
    if isinstance(agent, DQN):
        state |= {
            name.replace("q_net.", "q_net_target.", 1): t for name, t in state.items() if name.startswith("q_net.")
        }
    agent.policy.load_state_dict(state)
