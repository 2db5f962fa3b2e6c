"""The zoo: frozen policies that ship with the package, with which dream and reality are compared.

    from agents.zoo import zoo
    zoo("Pong")["ppo-best"].load()

Reading what is there loads no torch; loading a policy does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from agents.frozen import FrozenPolicy

_ROOT = Path(__file__).parent
_PREFIX = "zoo/"
Role = Literal["zoo", "dreamer", "eye"]


class UnknownPolicy(KeyError):
    """No such policy in the zoo."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class ZooPolicy:
    """What the zoo's manifest says of one policy."""

    name: str
    path: Path  # without suffix
    role: Role  # not among the compared: "dreamer", which has learned in the dream alone; "eye", which measures
    held_out: bool  # never recorded for training
    sha256: str  # of its record, which holds the hash of its weights
    score: dict[str, Any]  # mean return, interval, episodes and seeds on the twin
    normalised: float  # 0: random, 1: the best of the zoo

    def load(self, **overrides: Any) -> FrozenPolicy:
        """The policy, ready to act."""
        from agents.policy_file import load_policy

        return load_policy(self.path, **overrides)


def zoo(game: str, role: Role = "zoo") -> dict[str, ZooPolicy]:
    """The zoo of a game, by name, in ascending order of return."""
    return {name: policy for name, policy in _manifest(game).items() if policy.role == role}


def resolve(name: str, game: str) -> Path:
    """Where a policy is: "zoo/<name>" in the package, anything else a path without suffix."""
    if not name.startswith(_PREFIX):
        return Path(name)
    policies = _manifest(game)
    short = name.removeprefix(_PREFIX)
    if short not in policies:
        raise UnknownPolicy(f"the {game} zoo has no {short!r}; it has {', '.join(policies) or 'no policies yet'}")
    return policies[short].path


def record_sha256(path: Path) -> str:
    """The hash that stands for a whole policy: that of its record."""
    return hashlib.sha256(path.with_name(path.name + ".json").read_bytes()).hexdigest()


def _manifest(game: str) -> dict[str, ZooPolicy]:
    file = _ROOT / game.lower() / "manifest.json"
    if not file.is_file():
        return {}
    entries = json.loads(file.read_bytes())["policies"]
    return {each["name"]: ZooPolicy(path=file.parent / each["name"], **each) for each in entries}
