"""`observatory skills`: what skills there are, whether they are as they should be, and handing them on."""

# reaching   the registry of the service that runs, or one for the time of a command
# listing    list, show, catalogue
# changing   reload, watch
# checking   validate, pack, unpack

from cyclopts import App

from observatory_skills.commands.changing import reload, watch
from observatory_skills.commands.checking import pack, unpack, validate
from observatory_skills.commands.listing import catalogue, list_skills, show

app = App(name="skills", help="List skills, check them, pack them, and tell agents of them.")
app.command(list_skills, name="list")
for command in (show, catalogue, validate, pack, unpack, reload, watch):
    app.command(command)
