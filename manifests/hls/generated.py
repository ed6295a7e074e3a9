"""How is a multivariant playlist built from a ladder in the config, without a source playlist?"""

import re
from collections.abc import Sequence
from fractions import Fraction

from manifests.ladder import GeneratedRung

_WIDESCREEN = Fraction(16, 9)
_ILLEGAL = re.compile(r'[\x00-\x1f"\x7f-\x9f]')


def generate(rungs: Sequence[GeneratedRung]) -> bytes:
    """Build a multivariant playlist of the rungs, in their order (A1, A6).

    It needs no EXT-X-VERSION (A4.3). Raises ValueError without a rung (A11.1), and for a URI or a
    codecs list that a line cannot hold (A3.3).
    """
    if not rungs:
        raise ValueError("a ladder needs at least one rung")
    lines = ["#EXTM3U"]
    for rung in rungs:
        lines += [f"#EXT-X-STREAM-INF:{_attributes(rung)}", rung.uri]
        if _ILLEGAL.search(f"{rung.uri}{rung.codecs}") or not rung.uri or rung.uri[0] in "# ":
            raise ValueError(
                f"a playlist cannot hold the URI {rung.uri!r} or the codecs {rung.codecs!r}"
            )
    return "\n".join([*lines, ""]).encode()


def _attributes(rung: GeneratedRung) -> str:
    width = rung.width or 2 * round(rung.height * _WIDESCREEN / 2)
    attributes = [f"BANDWIDTH={rung.bandwidth}", f"RESOLUTION={width}x{rung.height}"]
    if rung.codecs is not None:
        attributes.append(f'CODECS="{rung.codecs}"')
    if rung.frame_rate is not None:
        attributes.append(f"FRAME-RATE={rung.frame_rate:.3f}")
    return ",".join(attributes)
