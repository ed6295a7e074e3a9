"""The manifest formats that the gateway answers with."""

from collections.abc import Mapping

from gateway.play.dash.answer import DashFormat
from gateway.play.format import Format
from gateway.play.hls.answer import HlsFormat
from manifests.format import ManifestFormat

FORMATS: Mapping[ManifestFormat, Format] = {
    ManifestFormat.HLS: HlsFormat(),
    ManifestFormat.DASH: DashFormat(),
}
