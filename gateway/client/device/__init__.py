"""Finds class, operating system, player and capabilities of a device."""

from gateway.client.device.classifier import DeviceClassifier
from gateway.client.device.rule import DeviceRule, check_match

__all__ = ["DeviceClassifier", "DeviceRule", "check_match"]
