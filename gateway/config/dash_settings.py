"""How are MPDs of live titles served to many?"""

from typing import Annotated

from pydantic import Field

from gateway.config.fields import Allowed, Flag
from gateway.config.section import Section

MaxAgeShare = Annotated[
    float,
    Field(strict=True, gt=0, lt=1),
    Allowed("a share above 0 and below 1, such as 0.5"),
]


class DashSettings(Section):
    """Live MPDs that caches may keep (`docs/dash.md`)."""

    class_manifests: Flag
    """A live MPD is that of a class of viewers, and refreshed at `/v1/class/…`, where caches may
    keep it for all of them. Needs `server.public_url`. Put a cache in front before you switch this
    on. Players that have been led there are answered in any case."""
    class_max_age_share: MaxAgeShare
    """Share of the update period of an MPD for which shared caches keep it (`s-maxage`, in whole
    seconds; at least one, but less than the period). They may use it for the rest of the period
    while they ask for a new one (`stale-while-revalidate`)."""
