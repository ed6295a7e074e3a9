"""``gateway purge``: makes all workers forget assets."""

from gateway.commands.recorded import record
from gateway.commands.store_access import CommandError, open_store
from gateway.config.load import Loaded
from gateway.config.problem import shown
from gateway.operators import purges
from gateway.operators.action_error import ActionError
from gateway.operators.purges import PurgeReport
from gateway.store.coordination.messages import Purge


def purge_of(asset: str | None, prefix: str | None) -> Purge:
    """The message that purges one asset, or all whose ids begin with ``prefix``. Raises
    CommandError."""
    try:
        return purges.purge_of(asset, prefix)
    except ActionError as error:
        option, given = ("ASSET", asset) if prefix is None else ("--prefix", prefix)
        raise CommandError(f"{option} {shown(given)}: {error}") from error


async def purge_everywhere(loaded: Loaded, purge: Purge) -> PurgeReport:
    """Have all workers on the configured store purge. Raises CommandError."""
    async with open_store(loaded) as (_, commands):
        report = await purges.purge_everywhere(commands, purge)
        await record(commands, "purge", purges.target_of(purge), after=report.members())
    return report
