"""Source manifests built from the configured ladder: the same for every asset.

There is no MPD among them. A rung of the ladder is a media playlist, which says for itself where
its segments are and how long they last. An MPD has to say both, and the duration of the title,
which no configuration of a ladder can know.
"""

import asyncio

from gateway.source.faults import SourceFaults
from gateway.source.source import (
    NoSuchAssetError,
    ParsedManifest,
    SourceManifest,
)
from manifests.format import ManifestFormat

_NO_MPD = (
    'there are no MPDs with source.kind = "generated": the rungs of [ladder] are media playlists, '
    "and an MPD has to say how long a title and its segments are; MPDs need source.kind = "
    '"directory" or "origin", and source.dash'
)


class GeneratedSource:
    """One playlist for all assets; its relative URIs resolve below each asset."""

    def __init__(self, manifest: ParsedManifest, template: str) -> None:
        """``manifest`` is the same for every asset. ``template`` is the path of a source manifest,
        with ``{asset}`` in it."""
        self.faults = SourceFaults()
        self._manifest = manifest
        self._template = template

    async def load(
        self,
        asset: str,
        client: str = "",  # noqa: ARG002
        wanted: ManifestFormat = ManifestFormat.HLS,
    ) -> SourceManifest:
        """The configured ladder, placed in the folder of ``asset``. Raises NoSuchAssetError for an
        MPD."""
        if wanted is not ManifestFormat.HLS:
            raise NoSuchAssetError(f"{asset}: {_NO_MPD}", _NO_MPD)
        path = self._template.replace("{asset}", asset)
        return SourceManifest(path, self._manifest)

    async def has(self, asset: str, wanted: ManifestFormat) -> bool:  # noqa: ARG002
        """Every asset has a playlist, and no MPD."""
        return wanted is ManifestFormat.HLS

    async def purge(self, asset: str) -> None:
        """Nothing to forget: the ladder comes from the config."""

    async def purge_prefix(self, prefix: str) -> None:
        """Nothing to forget: the ladder comes from the config."""

    async def revalidate_all(self) -> None:
        """Nothing to revalidate: the ladder comes from the config."""

    def ready(self) -> str | None:
        """Always ready."""
        return None

    def degraded(self) -> str | None:
        """Always None."""
        return None

    async def close(self) -> None:
        """Nothing to release."""

    async def watch(self) -> None:
        """Wait until cancelled: only a new config changes the ladder."""
        await asyncio.Event().wait()
