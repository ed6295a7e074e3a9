"""Source manifests built from the configured ladder alone: every asset has the same one."""

import asyncio

from gateway.source.source import ParsedManifest, SourceManifest


class GeneratedSource:
    """One playlist for all assets; its URIs are relative, so that they resolve below each."""

    def __init__(self, manifest: ParsedManifest, template: str) -> None:
        """``manifest`` stands for every asset. ``template`` is the path of a source manifest, with
        ``{asset}`` in it."""
        self._manifest = manifest
        self._template = template

    async def load(self, asset: str) -> SourceManifest:
        """The configured ladder, as if it lay in ``asset``'s own folder."""
        path = self._template.replace("{asset}", asset)
        return SourceManifest(path, self._manifest)

    async def purge(self, asset: str) -> None:
        """Nothing is known of any asset."""

    async def purge_prefix(self, prefix: str) -> None:
        """Nothing is known of any asset."""

    async def doubt(self) -> None:
        """The configured ladder is beyond doubt."""

    def ready(self) -> str | None:
        """Always ready."""
        return None

    def degraded(self) -> str | None:
        """Never."""
        return None

    async def close(self) -> None:
        """Nothing is held open."""

    async def watch(self) -> None:
        """Nothing changes until the config does."""
        await asyncio.Event().wait()
