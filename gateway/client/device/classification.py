"""The class of a device and the evidence for it."""

from dataclasses import dataclass, field

from gateway.client.facts import DeviceKind
from gateway.reason import Reason, Step


@dataclass(frozen=True, slots=True)
class Classification:
    """The class of a device, a stable reason code, and the evidence as text.

    ``because`` completes the sentence "a phone, because …" and never contains text from the player.
    Most classifications are constants of their modules, whose ``reason`` is made only once.
    """

    kind: DeviceKind
    code: str
    because: str
    reason: Reason = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Make the reason."""
        reason = Reason(Step.DEVICE, self.code, f"{self.kind}: {self.because}")
        object.__setattr__(self, "reason", reason)
