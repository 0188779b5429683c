"""`observatory skills`: what skills there are, whether they are as they should be, and handing them on."""

# reaching   the registry of the service that runs, or one for the time of a command
# listing    list, show, catalogue
# changing   reload, watch
# checking   validate, pack, unpack

from cyclopts import App

app = App(name="skills", help="List skills, check them, pack them, and tell agents of them.")

for _path in (
    "listing:list_skills",
    "listing:show",
    "listing:catalogue",
    "checking:validate",
    "checking:pack",
    "checking:unpack",
    "changing:reload",
    "changing:watch",
):
    _name = _path.partition(":")[2].partition("_")[0]
    app.command(f"{__name__}.{_path}", name=_name)
