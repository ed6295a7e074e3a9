"""Who asks, by User-Agent and client hints: class of device, system, player and abilities."""

from gateway.client.device.classifier import DeviceClassifier
from gateway.client.device.rule import DeviceRule, check_match

__all__ = ["DeviceClassifier", "DeviceRule", "check_match"]
