"""MPDs that nobody wrote by hand: any mix of sets, properties and references.

Each follows from one number: hypothesis takes far longer to draw the hundreds of choices itself.
"""

import re
from random import Random

from hypothesis import strategies as st

_HEAD = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011"'
    ' type="static" mediaPresentationDuration="PT20S" minBufferTime="PT2S">'
)
_VIDEO = [
    'mimeType="video/mp4" codecs="avc1.64001f"',
    'mimeType="video/mp4" codecs="avc1.64001f"',
    'mimeType="video/mp4" codecs="hvc1.1.6.L93.B0"',
    'contentType="video" codecs="dvh1.05.03"',
    'mimeType="video/mp4" codecs="avc1.64001f,mp4a.40.2"',
    'mimeType="video/mp4"',
    'mimeType="video/mp4" codecs="new1.1"',
]
_OTHERS = [
    'mimeType="audio/mp4" codecs="mp4a.40.2" lang="en"',
    'contentType="audio" codecs="ec-3" lang="fr"',
    'mimeType="text/vtt" lang="de"',
    'contentType="image" mimeType="image/jpeg"',
]
_SIZES = ["426x240", "640x360", "720x1280", "1280x720", "1920x1080", ""]
_RATES = ["", "", "25", "30000/1001", "50"]
_IDS = ["1", "2", "3", "4"]
_CICP = "urn:mpeg:mpegB:cicp:TransferCharacteristics"
_PROPERTIES = [
    *("", "", "", ""),
    '<ContentProtection schemeIdUri="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"/>',
    '<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cbcs"/>',
    f'<EssentialProperty schemeIdUri="{_CICP}" value="16"/>',
    f'<SupplementalProperty schemeIdUri="{_CICP}" value="18"/>',
    '<EssentialProperty schemeIdUri="urn:example:unknown"/>',
    '<EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode"/>',
    '<InbandEventStream schemeIdUri="urn:example:events" value="1"/>',
    '<Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>',
    '<Role schemeIdUri="urn:mpeg:dash:role:2011" value="sign"/>',
    '<Viewpoint schemeIdUri="urn:example:camera" value="2"/>',
    '<SupplementalProperty schemeIdUri="urn:mpeg:dash:period-continuity:2015" value="p0"/>',
    '<Label id="1">one</Label>',
]
_LISTS = [
    '<SupplementalProperty schemeIdUri="urn:mpeg:dash:adaptation-set-switching:2016" value="{}"/>',
    '<EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="{}"/>',
]
_BOUNDS = [
    *("", "", ' maxHeight="1080" maxWidth="1920"', ' minBandwidth="1" maxBandwidth="9999999"'),
    ' maxFrameRate="50" minHeight="100"',
]


def _ids(random: Random) -> list[str]:
    """Ids of sets that may be there."""
    return random.sample(_IDS, random.randint(1, 3))


def _representation(random: Random, number: int, at: int) -> str:
    """Its id is unique in the Period."""
    width, _, height = random.choice(_SIZES).partition("x")
    rate = random.choice(_RATES)
    attributes = [f'id="r{number}-{at}"', f'bandwidth="{random.randint(1, 40) * 100_000}"']
    if width:
        attributes.append(f'width="{width}" height="{height}"')
    if rate:
        attributes.append(f'frameRate="{rate}"')
    for name in ("dependencyId", "associationId"):
        if random.random() < 0.1:
            others = [f"r{each}-{random.randint(0, 3)}" for each in _ids(random)]
            attributes.append(f'{name}="{" ".join(others)}"')
    inner = random.choice(_PROPERTIES) if random.random() < 0.3 else ""
    return f"<Representation {' '.join(attributes)}>{inner}</Representation>"


def _set(random: Random, number: int) -> str:
    kind = random.choice(_VIDEO * 2 + _OTHERS)
    properties = [random.choice(_PROPERTIES) for _ in range(2)]
    if random.random() < 0.3:
        properties.append(random.choice(_LISTS).format(",".join(_ids(random))))
    name = f'id="{number}" ' if random.random() < 0.7 else ""
    every = [_representation(random, number, at) for at in range(random.randint(1, 4))]
    lines = "\n    ".join([*filter(None, properties), *every])
    bounds = random.choice(_BOUNDS)
    return f"  <AdaptationSet {name}{kind}{bounds}>\n    {lines}\n  </AdaptationSet>"


def _period(random: Random, number: int) -> str:
    lines = [_set(random, at + 1) for at in range(random.randint(1, 4))]
    names = " ".join(_ids(random))
    if random.random() < 0.3:
        lines.append(f'  <Subset contains="{names}"/>')
    if random.random() < 0.3:
        lines.append('  <GroupLabel id="1">one</GroupLabel>')
    if random.random() < 0.3:
        lines.append(f'  <Preselection id="9" preselectionComponents="{names}"/>')
    return "\n".join([f'<Period id="p{number}">', *lines, "</Period>"])


def mpd(seed: int) -> str:
    """The text of a static MPD with one to three Periods."""
    random = Random(seed)
    periods = [_period(random, at) for at in range(random.randint(1, 3))]
    return "\n".join([_HEAD, *periods, "</MPD>", ""])


def mpds() -> st.SearchStrategy[str]:
    """Any of them."""
    return st.integers(0, 2**64 - 1).map(mpd)


def independent_mpds() -> st.SearchStrategy[str]:
    """Those without Representations that need others."""
    return mpds().map(lambda text: re.sub(' dependencyId="[^"]*"', "", text))
