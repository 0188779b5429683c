"""`observatory token`."""

from __future__ import annotations

from typing import Annotated

from observatory import token_for
from observatory.arguments import check_name
from observatory.cli.endings import OK
from observatory.cli.options import DASHED, Options
from observatory.cli.reaching import service_of


async def token(agent: Annotated[str, DASHED], /, *, options: Options = Options()) -> int:  # noqa: B008  # frozen
    """Print a token with which an agent can connect to the running service, and send as nobody else.

    It is a secret: hand it to that agent only, such as in the variable `OBSERVATORY_TOKEN`. It ends with the service.

    Args:
        agent: Whose.
        options: Of which root.
    """
    check_name("agent", agent)
    service = await service_of(options.settings().root)
    print(token_for(service.token, agent))
    return OK
