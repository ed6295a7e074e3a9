"""Which class of device, and on what evidence?"""

from dataclasses import dataclass, field

from gateway.client.facts import DeviceKind
from gateway.reason import Reason, Step


@dataclass(frozen=True, slots=True)
class Classification:
    """One family's answer: the class, a stable reason code, and the evidence in words.

    ``because`` completes the sentence "a phone because …" and never quotes the player. Verdicts
    are constants of their modules, so that their ``reason`` is put into words once.
    """

    kind: DeviceKind
    code: str
    because: str
    reason: Reason = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Word the reason."""
        reason = Reason(Step.DEVICE, self.code, f"{self.kind}: {self.because}")
        object.__setattr__(self, "reason", reason)
