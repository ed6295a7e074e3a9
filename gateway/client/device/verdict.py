"""Which class of device, and on what evidence?"""

from dataclasses import dataclass

from gateway.client.facts import DeviceKind


@dataclass(frozen=True, slots=True)
class Verdict:
    """One family's answer: the class, a stable reason code, and the evidence in words.

    ``because`` completes the sentence "a phone because …" and never quotes the player.
    """

    kind: DeviceKind
    code: str
    because: str

    def __str__(self) -> str:
        """``phone: an Android browser that says Mobile``."""
        return f"{self.kind}: {self.because}"
