"""`observatory token`."""

from __future__ import annotations

from typing import Annotated

import trio

from observatory import read_service, token_for
from observatory.arguments import check_name
from observatory.cli.endings import OK
from observatory.cli.options import DASHED, Options
from observatory.cli.reaching import no_service


async def token(agent: Annotated[str, DASHED], /, *, options: Options = Options()) -> int:  # noqa: B008  # frozen
    """Print a token for an agent, with which it can connect to the running service, and send as nobody else.

    It is a secret: hand it to that agent only, such as in the variable `OBSERVATORY_TOKEN`. It ends with the service.

    Args:
        agent: Whose.
        options: Of which root.
    """
    check_name("agent", agent)
    root = options.settings().root
    service = await trio.to_thread.run_sync(read_service, root)
    if service is None:
        raise no_service(root)
    print(token_for(service.token, agent))
    return OK
