# Team inboxes, `{root}/teams/{team}/inboxes/{agent}.json`: Claude Code's.
#
# teams      a batch's messages for members, for one delivery channel
# team       finding a member's inbox, and checking that it is one
# inbox      appending to it
# lock       its lock, as npm's proper-lockfile takes it; patience says how long a batch waits for one
# format     the JSON of team inboxes and of config.json
