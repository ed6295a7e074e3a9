"""How is the start of playback on unknown networks configured?"""

from typing import Annotated

from pydantic import Field

from gateway.client.facts import DeviceKind
from gateway.client.hints import Ect
from gateway.config.fields import Asn, BitRate, Country, Flag
from gateway.config.section import Section
from geodata.place import Continent

SomeOf = Field(min_length=1)


class StartWhenSettings(Section):
    """Conditions that must all be true. A list is true when any of its items matches. A condition
    that is left out is always true."""

    country: Annotated[frozenset[Country], SomeOf] | None = Field(None, examples=[["YE", "SY"]])
    """Country of the address, ISO 3166-1 alpha-2."""
    continent: Annotated[frozenset[Continent], SomeOf] | None = Field(None, examples=[["AF"]])
    """Continent of the address."""
    asn: Annotated[frozenset[Asn], SomeOf] | None = Field(None, examples=[[64496]])
    """Autonomous system number of the network. Needs `geo.asn_database`."""
    device: Annotated[frozenset[DeviceKind], SomeOf] | None = Field(None, examples=[["car"]])
    """Class of device."""
    save_data: Flag | None = Field(None, examples=[True])
    """Whether the player asks to save data (`Save-Data`)."""
    ect: Annotated[frozenset[Ect], SomeOf] | None = Field(None, examples=[["3g"]])
    """Effective connection type that the browser tells (`ECT`). Without a usable `Downlink`,
    `slow-2g`, `2g` and `3g` are speeds, so that rules seldom see them."""


class StartRuleSettings(Section):
    """Within which bit rate playback starts. The first rule that matches is used. A profile's
    `start_bitrate_kbps` stays the most."""

    when: StartWhenSettings
    """Conditions that must all be true. `{}` matches every request."""
    bitrate_kbps: BitRate = Field(examples=[900])
    """Highest bit rate to start on, in kbit/s. When all rungs exceed it, playback starts on the
    lowest."""


class StartSettings(Section):
    """Where playback starts while the speed of the viewer's network is unknown (`docs/start.md`).
    It selects the rung to start on, and never the profile."""

    enabled: Flag
    """`false` ignores the rules: playback starts near the profile's `start_bitrate_kbps`, else near
    2000 kbit/s."""
    in_mpd: Flag
    """`true` writes into an MPD where to start, as the `target` of `OperatingBandwidth`, which
    dash.js follows. MPDs of profiles that keep everything stay as they are."""
    rules: tuple[StartRuleSettings, ...]
    """The rules, in order."""
