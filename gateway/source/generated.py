"""Source manifests built from the configured ladder: the same for every asset."""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b

from gateway.ladder.hls import bandwidths_of
from gateway.source.source import SourceManifest
from manifests.hls.generated import GeneratedRung, generate
from manifests.hls.multivariant import parse


class GeneratedSource:
    """One playlist for all assets; its relative URIs resolve below each asset."""

    def __init__(self, ladder: Sequence[GeneratedRung], template: str) -> None:
        """``template`` is the path of a source manifest, with ``{asset}`` in it."""
        data = generate(ladder)
        self._playlist = parse(data, "the configured ladder")
        self._version = blake2b(data, digest_size=8).hexdigest()
        self._bandwidths = bandwidths_of(self._playlist)
        self._template = template

    async def load(self, asset: str) -> SourceManifest:
        """The configured ladder, placed in the folder of ``asset``."""
        path = self._template.replace("{asset}", asset)
        return SourceManifest(path, self._playlist, self._version, self._bandwidths)

    async def purge(self, asset: str) -> None:
        """Nothing to forget: the ladder comes from the config."""

    async def purge_prefix(self, prefix: str) -> None:
        """Nothing to forget: the ladder comes from the config."""

    async def revalidate_all(self) -> None:
        """The configured ladder is beyond revalidate_all."""

    def current(self, asset: str) -> str:  # noqa: ARG002
        """The version of the ladder, the same for every asset."""
        return self._version

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
