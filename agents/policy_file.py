"""Policies on disk: `<name>.json` beside `<name>.safetensors`, no pickle. The half-precision file *is* the policy.

    policy = load_policy("runs/pong/step_0100000")
    policy.reset(lanes=np.arange(2), seeds=np.array([0, 1]))
    actions = policy(frames, lanes=np.arange(2))        # frames uint8 [2, H, W, 3]

Loading reads JSON and tensors only, checks the SHA-256, and bounds sizes before anything is allocated.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from agents.frozen import FrozenPolicy, PolicyHead
from agents.network import FrameNetworkConfig
from agents.view import View
from data_gen.atomic import write_atomically

_FORMAT = 1
_MAX_JSON_BYTES = 1 << 20
_MAX_WEIGHT_BYTES = 64 << 20
_MAX_WIDTH = 4096

Kind = Literal["network", "random", "constant"]


class InvalidPolicy(ValueError):
    """A policy file that is damaged or does not say what it must; the message names file and field."""


@dataclass(frozen=True)
class PolicyRecord:
    """Everything about a policy but its weights."""

    kind: Kind
    num_actions: int
    algorithm: str = ""  # "ppo", "dqn", "clone", or "" for a scripted one
    network: FrameNetworkConfig = field(default_factory=FrameNetworkConfig)
    deterministic: bool = False  # take the best action instead of drawing one
    temperature: float = 1.0  # divides the logits before drawing
    epsilon: float = 0.0  # probability of a random action instead
    actions: tuple[int, ...] = ()  # replaces action a by actions[a]; () leaves it
    constant: int = 0  # the action of a "constant" policy
    training: dict[str, Any] = field(default_factory=dict)  # what made it: env, steps, seed, versions, returns
    weights_sha256: str = ""
    format: int = _FORMAT

    @property
    def view(self) -> View:
        """The agent view that fits the network."""
        return View(size=self.network.size, stack=self.network.stack)


def save_policy(path: Path | str, record: PolicyRecord, weights: dict[str, Tensor] | None = None) -> None:
    """Write `<path>.safetensors` (half precision) and `<path>.json`, each whole or not at all, the JSON last."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if weights is not None:
        data = save_tensors({name: tensor.detach().half().contiguous() for name, tensor in weights.items()})
        write_atomically(path.with_name(path.name + ".safetensors"), data)
        record = dataclasses.replace(record, weights_sha256=hashlib.sha256(data).hexdigest())
    text = json.dumps(dataclasses.asdict(record), indent=1, sort_keys=True) + "\n"
    write_atomically(path.with_name(path.name + ".json"), text.encode())


def load_policy(
    path: Path | str, deterministic: bool | None = None, temperature: float | None = None, epsilon: float | None = None
) -> FrozenPolicy:
    """The policy at `<path>.json`; the keyword arguments override what its record says.

    Example:
        >>> import numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_policy(f"{folder}/up", PolicyRecord(kind="constant", num_actions=6, constant=2))
        ...     policy = load_policy(f"{folder}/up")
        >>> policy(np.zeros((2, 84, 84, 3), np.uint8), np.arange(2)).tolist()
        [2, 2]
    """
    path = Path(path)
    record = read_record(path)
    overrides: dict[str, Any] = {"deterministic": deterministic, "temperature": temperature, "epsilon": epsilon}
    record = dataclasses.replace(record, **{k: v for k, v in overrides.items() if v is not None})
    head = _load_head(path, record) if record.kind == "network" else None
    return FrozenPolicy(
        num_actions=record.num_actions,
        view=record.view,
        head=head,
        constant=record.constant if record.kind == "constant" else None,
        deterministic=record.deterministic,
        temperature=record.temperature,
        epsilon=record.epsilon,
        actions=record.actions,
    )


def read_record(path: Path | str) -> PolicyRecord:
    """The record of the policy at `<path>.json`, checked field by field."""
    file = Path(path).with_name(Path(path).name + ".json")
    if not file.is_file():
        raise FileNotFoundError(f"no policy at {file}; expected <path>.json beside <path>.safetensors")
    if file.stat().st_size > _MAX_JSON_BYTES:
        raise InvalidPolicy(f"{file} has {file.stat().st_size} bytes; a policy record has at most {_MAX_JSON_BYTES}")
    try:
        plain = json.loads(file.read_bytes())
        return _checked_record(plain)
    except (ValueError, TypeError, KeyError, RecursionError) as fault:
        raise InvalidPolicy(f"{file} is not a policy record: {fault}") from fault


def _checked_record(plain: Any) -> PolicyRecord:
    fields = {f.name for f in dataclasses.fields(PolicyRecord)}
    if not isinstance(plain, dict) or set(plain) != fields:
        found = sorted(plain) if isinstance(plain, dict) else type(plain).__name__
        raise ValueError(f"expected exactly the fields {sorted(fields)}, found {found}")
    if plain["format"] != _FORMAT:
        raise ValueError(f"format is {plain['format']!r}; this version reads format {_FORMAT}")
    network = plain.pop("network")
    record = PolicyRecord(
        # Files from before there was a choice say nothing of motion.
        network=FrameNetworkConfig(**{"motion": False, **network, "channels": tuple(network["channels"])}),
        actions=tuple(plain.pop("actions")),
        **plain,
    )
    sizes = (record.num_actions, *record.network.channels, record.network.width, record.network.stack)
    ints = (*sizes, record.network.size, record.constant, *record.actions)
    if not all(type(number) is int for number in ints):
        raise ValueError(f"sizes and actions must be whole numbers, found {ints}")
    if not all(0 < size <= _MAX_WIDTH for size in sizes) or not 36 <= record.network.size <= 256:
        raise ValueError(f"sizes must be 1 to {_MAX_WIDTH} and frames 36 to 256 pixels, found {ints}")
    if type(record.network.motion) is not bool:
        raise ValueError(f"network.motion is {record.network.motion!r}; expected true or false")
    if len(record.network.channels) != 3:
        raise ValueError(f"network.channels must be three numbers, found {record.network.channels}")
    if record.kind not in get_args(Kind):
        raise ValueError(f"kind is {record.kind!r}; expected one of {get_args(Kind)}")
    if not 0 <= record.constant < record.num_actions:
        raise ValueError(f"constant is {record.constant}; expected 0 to {record.num_actions - 1}")
    there_are = range(record.num_actions)
    if record.actions and (len(record.actions) != len(there_are) or not set(record.actions) <= set(there_are)):
        raise ValueError(
            f"actions must say which of {record.num_actions} actions replaces each of them, found {record.actions}"
        )
    if not (0.0 <= record.epsilon <= 1.0 and record.temperature > 0.0):
        raise ValueError(f"epsilon {record.epsilon} must lie in 0..1 and temperature {record.temperature} above 0")
    return record


def load_weights(path: Path | str) -> dict[str, Tensor]:
    """The tensors of the network policy at `path`, in single precision."""
    record = read_record(path)
    if record.kind != "network":
        raise InvalidPolicy(f"{path}.json is a {record.kind} policy; it has no weights")
    return _load_head(Path(path), record).state_dict()


def _load_head(path: Path, record: PolicyRecord) -> PolicyHead:
    file = path.with_name(path.name + ".safetensors")
    if not file.is_file():
        raise FileNotFoundError(f"{path}.json names weights, but {file} is missing")
    if file.stat().st_size > _MAX_WEIGHT_BYTES:
        raise InvalidPolicy(f"{file} has {file.stat().st_size} bytes; a policy has at most {_MAX_WEIGHT_BYTES}")
    data = file.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != record.weights_sha256:
        raise InvalidPolicy(f"{file} is damaged: SHA-256 is {found}, its record says {record.weights_sha256}")
    head = PolicyHead(record.network, record.num_actions)
    try:
        head.load_state_dict({name: tensor.float() for name, tensor in load_tensors(data).items()}, strict=True)
    except (RuntimeError, ValueError) as fault:
        raise InvalidPolicy(f"{file} does not fit its record: {fault}") from fault
    if not all(bool(torch.isfinite(tensor).all()) for tensor in head.parameters()):
        raise InvalidPolicy(f"{file} holds weights that are not finite")
    return head.eval()
