"""Source manifests built from the configured ladder: the same for every asset."""

import asyncio

from gateway.source.faults import SourceFaults
from gateway.source.source import ParsedManifest, SourceManifest


class GeneratedSource:
    """One playlist for all assets; its relative URIs resolve below each asset."""

    def __init__(self, manifest: ParsedManifest, template: str) -> None:
        """``manifest`` is the same for every asset. ``template`` is the path of a source manifest,
        with ``{asset}`` in it."""
        self.faults = SourceFaults()
        self._manifest = manifest
        self._template = template

    async def load(self, asset: str, client: str = "") -> SourceManifest:  # noqa: ARG002
        """The configured ladder, placed in the folder of ``asset``."""
        path = self._template.replace("{asset}", asset)
        return SourceManifest(path, self._manifest)

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
