"""How does an MPD say where to start? As the target of OperatingBandwidth (23009-1, Annex K.3.5).

dash.js takes it for its first estimate of the network. Others start where they would without it.
"""

from manifests.dash.elements import Element
from manifests.dash.links import Links
from manifests.dash.model import Mpd
from manifests.dash.splices import NewElement, Splice, insert_after, insert_before, set_attribute

_BEFORE = frozenset({"Scope", "Latency", "PlaybackRate", "OperatingQuality"})
"""What stands before OperatingBandwidth in a ServiceDescription."""
_STEP = 1000


def start_splices(mpd: Mpd, links: Links, bandwidth: int) -> list[Splice]:
    """The edits after which the MPD says to start on video of ``bandwidth`` bit/s.

    The target is rounded up to kbit/s, since dash.js counts in these. dash.js only uses the last
    description for all clients, so the target goes into those of the source, and a new one is
    added where there is none. A description that has a target, or common limits for all media,
    stays as it is.
    """
    target = str(-(-bandwidth // _STEP) * _STEP)
    if not mpd.service_descriptions:
        prefix = f"{links.indentation}<{links.prefix}"
        inner = f'<{links.prefix}OperatingBandwidth mediaType="video" target="{target}"/>'
        text = f'{prefix}ServiceDescription id="0">{inner}</{links.prefix}ServiceDescription>'
        return [Splice(links.behind, links.behind, text)]
    return [
        splice
        for description in mpd.service_descriptions
        for splice in _in_description(mpd, description, target)
    ]


def _in_description(mpd: Mpd, description: Element, target: str) -> list[Splice]:
    document, stated = mpd.document, description.all("OperatingBandwidth")
    if stated:
        last = stated[-1].attributes
        if last.get("mediaType") != "video" or "target" in last:
            return []
        return [set_attribute(document, stated[-1], "target", target)]
    if not description.children:
        return []
    new = NewElement("OperatingBandwidth", {"mediaType": "video", "target": target})
    before = [child for child in description.children if child.name in _BEFORE]
    if before:
        return [insert_after(document, before[-1], new)]
    return [insert_before(document, description.children[0], new)]
