"""Which attacks are there?"""

from tests.attack import (
    bomb_rows,
    cache_rows,
    config_rows,
    connection_rows,
    cost_rows,
    edge_rows,
    injection_rows,
    oidc_rows,
    request_rows,
    schema_rows,
    signed_rows,
    source_rows,
    ssrf_rows,
    store_rows,
    token_rows,
    traversal_rows,
    trust_rows,
)
from tests.attack.attack import Attack

ATTACKS: tuple[Attack, ...] = (
    *connection_rows.ROWS,
    *request_rows.ROWS,
    *schema_rows.ROWS,
    *bomb_rows.ROWS,
    *signed_rows.ROWS,
    *edge_rows.ROWS,
    *traversal_rows.ROWS,
    *source_rows.ROWS,
    *cache_rows.ROWS,
    *store_rows.ROWS,
    *injection_rows.ROWS,
    *ssrf_rows.ROWS,
    *bomb_rows.ORIGIN_ROWS,
    *source_rows.ORIGIN_ROWS,
    *connection_rows.TLS_ROWS,
    *trust_rows.ROWS,
    *token_rows.ROWS,
    *oidc_rows.ROWS,
    *config_rows.ROWS,
    *cost_rows.ROWS,
)


def attacks_named(names: list[str]) -> list[Attack] | None:
    """The attacks of these names, all without any; None when one is unknown."""
    by_name = {attack.name: attack for attack in ATTACKS}
    if not set(names) <= by_name.keys():
        return None
    return [by_name[name] for name in names] if names else list(ATTACKS)
