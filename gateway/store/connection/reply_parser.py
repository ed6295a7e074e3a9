"""How large may a reply of Redis be? A larger one ends the connection before it fills the memory.

Commands are chosen so that Redis itself cuts what it sends: ``GETRANGE`` instead of ``GET``, and
scripts that leave out entries that are too long. So only a faulty or
hostile server exceeds this bound. hiredis bounds the nesting of replies (9 levels), and an array
that promises more elements than follow takes no memory for them.
"""

from redis.asyncio.connection import DefaultParser
from redis.exceptions import InvalidResponse, RedisError

MAX_REPLY_BYTES = 16 * 1024 * 1024


class ReplyTooLargeError(RedisError):
    """A reply has more than ``MAX_REPLY_BYTES``."""


class BoundedParser(DefaultParser):  # type: ignore[misc, valid-type]
    """hiredis, for replies of up to ``MAX_REPLY_BYTES``; reading a larger one raises
    :class:`ReplyTooLargeError`."""

    _taken = 0
    """Bytes received since the reply began."""

    async def read_response(
        self, disable_decoding: bool = False, push_request: bool = False
    ) -> object:
        """The next reply. Raises the client's own errors, of the connection or for what is no reply
        at all, and the replies that are errors."""
        self._taken = 0
        try:
            return await super().read_response(disable_decoding, push_request)
        except (RedisError, OSError):
            raise
        except Exception as error:  # such as a map whose keys are lists, or pushes without end
            raise InvalidResponse(f"no reply: {type(error).__name__}") from error

    async def read_from_socket(self) -> bool:
        """Receive the next bytes."""
        if self._taken > MAX_REPLY_BYTES:
            raise ReplyTooLargeError(f"a reply of more than {MAX_REPLY_BYTES} bytes")
        held = self._reader.len()
        await super().read_from_socket()
        self._taken += self._reader.len() - held
        return True
