"""How are rules configured?"""

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
    """Conditions that must all be true. A list is true when any of its items matches. A condition
    that is left out is always true. A bound on the speed is false while the speed is unknown."""

    device: Annotated[frozenset[DeviceKind], SomeOf] | None = Field(None, examples=[["phone"]])
    """Class of device."""
    os: Annotated[frozenset[Text], SomeOf] | None = Field(None, examples=[["Android", "iOS"]])
    """Operating system, in upper or lower case."""
    player: Annotated[frozenset[Text], SomeOf] | None = Field(None, examples=[["ExoPlayer"]])
    """Player, in upper or lower case."""
    country: Annotated[frozenset[Country], SomeOf] | None = Field(None, examples=[["IN", "BD"]])
    """Country of the address, ISO 3166-1 alpha-2."""
    continent: Annotated[frozenset[Continent], SomeOf] | None = Field(None, examples=[["EU"]])
    """Continent of the address."""
    asn: Annotated[frozenset[Asn], SomeOf] | None = Field(None, examples=[[64496]])
    """Autonomous system number of the network. Needs `geo.asn_database`."""
    speed_below_kbps: BitRate | None = Field(None, examples=[1000])
    """The speed is known and below this, in kbit/s."""
    speed_at_least_kbps: BitRate | None = Field(None, examples=[3000])
    """The speed is known and at least this, in kbit/s."""
    speed_above_kbps: BitRate | None = Field(None, examples=[5000])
    """The speed is known and above this, in kbit/s."""
    speed_known: Flag | None = Field(None, examples=[False])
    """Whether the speed is known."""
    save_data: Flag | None = Field(None, examples=[True])
    """Whether the player asks to save data."""
    asset_prefix: Annotated[tuple[AssetPrefix, ...], SomeOf] | None = Field(
        None, examples=[["kids/"]]
    )
    """Prefix of the asset's id."""
    time_of_day: Annotated[tuple[TimeOfDay, ...], SomeOf] | None = Field(
        None, examples=[["22:00-06:00"]]
    )
    """Time in `policy.time_zone`, up to but not including the end. It may go past midnight."""

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        bounded = [
            key
            for key in ("speed_below_kbps", "speed_at_least_kbps", "speed_above_kbps")
            if getattr(self, key) is not None
        ]
        if self.speed_known is False and bounded:
            raise fault("speed_known", f"can never be true together with {bounded[0]}", "true")
        # Speeds are not whole numbers: 1000.5 is above 1000 and below 1001.
        lowest = max(self.speed_at_least_kbps or 0, self.speed_above_kbps or 0)
        if self.speed_below_kbps is not None and self.speed_below_kbps <= lowest:
            raise fault(
                "speed_below_kbps",
                "can never be true together with the lower bound",
                f"more than {lowest}",
            )
        return self


class RuleSettings(Section):
    """Which requests get which profile. The first rule that matches is used."""

    name: Text | None = Field(None, examples=["phones on slow networks"])
    """A name for people, shown in the reasons of a decision."""
    when: WhenSettings
    """Conditions that must all be true. `{}` matches every request."""
    profile: ProfileName = Field(examples=["mobile_2g"])
    """Name of the profile."""
