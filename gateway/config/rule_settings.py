"""How is a rule written?"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.client.facts import DeviceKind
from gateway.config.fields import (
    Asn,
    AssetPrefix,
    BitRate,
    Country,
    Flag,
    ProfileName,
    Text,
    TimeOfDay,
)
from gateway.config.section import Section, fault
from geodata.place import Continent

SomeOf = Field(min_length=1)


class WhenSettings(Section):
    """Conditions that must all hold. A list holds when any of its members does. One that is left
    out holds for everyone. A bound on the speed does not hold while the speed is unknown."""

    device: Annotated[frozenset[DeviceKind], SomeOf] | None = Field(None, examples=[["phone"]])
    """Class of device."""
    os: Annotated[frozenset[Text], SomeOf] | None = Field(None, examples=[["Android", "iOS"]])
    """Operating system; case does not matter."""
    player: Annotated[frozenset[Text], SomeOf] | None = Field(None, examples=[["ExoPlayer"]])
    """Player; case does not matter."""
    country: Annotated[frozenset[Country], SomeOf] | None = Field(None, examples=[["IN", "BD"]])
    """Country of the address, ISO 3166-1 alpha-2."""
    continent: Annotated[frozenset[Continent], SomeOf] | None = Field(None, examples=[["EU"]])
    """Continent of the address."""
    asn: Annotated[frozenset[Asn], SomeOf] | None = Field(None, examples=[[64496]])
    """Number of the network's autonomous system; needs `geo.asn_database`."""
    speed_below_kbps: BitRate | None = Field(None, examples=[1000])
    """The speed is known and lower than this, in kbit/s."""
    speed_at_least_kbps: BitRate | None = Field(None, examples=[3000])
    """The speed is known and this or higher, in kbit/s."""
    speed_above_kbps: BitRate | None = Field(None, examples=[5000])
    """The speed is known and higher than this, in kbit/s."""
    speed_known: Flag | None = Field(None, examples=[False])
    """Whether a speed was measured at all."""
    save_data: Flag | None = Field(None, examples=[True])
    """Whether the player asks to save data."""
    asset_prefix: Annotated[tuple[AssetPrefix, ...], SomeOf] | None = Field(
        None, examples=[["kids/"]]
    )
    """Start of the asset's id."""
    time_of_day: Annotated[tuple[TimeOfDay, ...], SomeOf] | None = Field(
        None, examples=[["22:00-06:00"]]
    )
    """Time in `policy.time_zone`, up to but not including the end; may go past midnight."""

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        bounded = [
            key
            for key in ("speed_below_kbps", "speed_at_least_kbps", "speed_above_kbps")
            if getattr(self, key) is not None
        ]
        if self.speed_known is False and bounded:
            raise fault("speed_known", f"can never hold together with {bounded[0]}", "true")
        lowest = max(self.speed_at_least_kbps or 0, (self.speed_above_kbps or -1) + 1)
        if self.speed_below_kbps is not None and self.speed_below_kbps <= lowest:
            raise fault(
                "speed_below_kbps",
                "can never hold together with the lower bound",
                f"more than {lowest}",
            )
        return self


class RuleSettings(Section):
    """Which requests get which profile. The first rule that matches decides."""

    name: Text | None = Field(None, examples=["phones on slow networks"])
    """A name for people, shown among the reasons of a decision."""
    when: WhenSettings
    """Conditions that must all hold; `{}` matches everyone."""
    profile: ProfileName = Field(examples=["mobile_2g"])
    """Name of the profile."""
