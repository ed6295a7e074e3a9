"""Writes an MPD: the Representations that stay, where to start, where URIs lead."""

from collections.abc import Callable, Collection

from gateway.play import problems
from gateway.play.dash.manifest import DashManifest
from gateway.source.source import BadSourceError
from manifests.dash.filtering import filter_splices
from manifests.dash.start import start_splices
from manifests.dash.uris import Destination
from manifests.dash.writing import write
from manifests.fault import ManifestError


def written(
    manifest: DashManifest,
    gone: Collection[int],
    start: int | None,
    destination: Destination,
    steer: Callable[[Destination], Destination | None],
    most: int,
) -> bytes:
    """The MPD without the Representations ``gone`` (by ``index``), at most ``most`` bytes.

    It says to start on video of ``start`` bit/s; None where it does not say so. ``steer`` gives
    where URIs lead when the MPD is steered, None when it is not. One that would be too long with
    content steering has none. Raises a 502 problem when it is too long without.
    """
    edits = filter_splices(manifest.mpd, gone)
    if start is not None:
        edits += start_splices(manifest.mpd, manifest.links, start)
    wanted = steer(destination)
    try:
        if wanted is not None:
            try:
                return write(manifest.links, edits, wanted, most)
            except ManifestError:
                pass
        return write(manifest.links, edits, destination, most)
    except ManifestError as error:
        raise problems.source_problem(BadSourceError.of(error)) from error
