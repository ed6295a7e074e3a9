"""May caches keep the manifests of assets that want a playback token?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.config.problem import ConfigProblem
from gateway.config.token_check import is_for_everybody


def check_classes(
    tables: Mapping[str, Any], problem: Callable[..., ConfigProblem]
) -> Iterator[ConfigProblem]:
    """Warns of class manifests that protected assets do not have, and of those that everybody may
    read although their assets want a token."""
    dash, tokens = tables.get("dash"), tables.get("tokens")
    if not isinstance(dash, dict) or not isinstance(tokens, dict):
        return
    if dash.get("class_manifests") is not True or tokens.get("enabled") is not True:
        return
    if not _protects(tokens):
        return
    if tokens.get("class_manifests") is True:
        yield problem(
            ("tokens", "class_manifests"),
            "lets everybody who has the URL of a class manifest read it; the CDN in front has to "
            "verify tokens and countries",
            value="true",
            severity="warning",
        )
    else:
        yield problem(
            ("dash", "class_manifests"),
            "is not used for the live assets of tokens.protect: caches would check neither tokens "
            "nor countries",
            value="true",
            severity="warning",
        )


def _protects(tokens: Mapping[str, Any]) -> bool:
    listed = tokens.get("protect")
    return isinstance(listed, list | tuple) and any(
        isinstance(each, dict) and not is_for_everybody(each) for each in listed
    )
