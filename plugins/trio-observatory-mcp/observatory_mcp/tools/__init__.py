"""What agents can do."""

# texts.py     messages and what else others wrote, as agents are told of it
# mail.py      read and acknowledge
# sending.py   send, answer
# swarm.py     tasks, agents
# notes.py     notes
# skills.py    skills

from typing import Any

from observatory_mcp.tool import AgentTool
from observatory_mcp.tools import mail, notes, sending, skills, swarm

TOOLS = {
    tool.name: tool
    for tool in (
        AgentTool(mail.check_inbox, reads=True),
        AgentTool(mail.acknowledge_message, again=True),
        AgentTool(sending.send_message),
        AgentTool(sending.broadcast_message),
        AgentTool(sending.reply_message),
        AgentTool(mail.wait_for_message, reads=True, waits=True),
        AgentTool(swarm.get_tasks, reads=True),
        AgentTool(swarm.update_task_status),
        AgentTool(swarm.claim_task),
        AgentTool(swarm.list_agents, reads=True),
        AgentTool(notes.add_note, again=True),
        AgentTool(notes.list_notes, reads=True),
        AgentTool(skills.list_skills, reads=True),
        AgentTool(skills.load_skill, reads=True),
        AgentTool(skills.read_skill_resource, reads=True),
    )
}
"""By name, in the order in which they are told."""


def is_quick(method: Any, params: Any) -> bool:
    """Tell whether a request of the protocol, as JSON has it, calls a tool that does not wait and is done at once."""
    if method != "tools/call" or not isinstance(params, dict) or not isinstance(params.get("name"), str):
        return False
    tool = TOOLS.get(params["name"])
    return tool is not None and not tool.waits
