"""For authors of commands: what groups of commands that plugins register are made of. Needs cyclopts, as they do."""

from observatory.arguments import check_name as check_name
from observatory.cli import main as main
from observatory.cli.endings import CANNOT as CANNOT, FAILED as FAILED, INTERRUPTED as INTERRUPTED, OK as OK
from observatory.cli.extending import commands_of as commands_of
from observatory.cli.options import DASHED as DASHED, ListingOptions as ListingOptions, Options as Options
from observatory.cli.output import (
    complain as complain,
    counted as counted,
    harmless as harmless,
    in_words as in_words,
    local_time as local_time,
    make_console as make_console,
    make_table as make_table,
    note as note,
    print_json as print_json,
    print_table as print_table,
    shorten as shorten,
)
from observatory.cli.reaching import (
    in_time as in_time,
    reached as reached,
    reached_or_opened as reached_or_opened,
    running_service as running_service,
    service_on as service_on,
)
