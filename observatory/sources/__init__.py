# Where the tasks of a swarm are kept: files. Blocking code, for worker threads, but for file_source.py and turns.py.
#
# file_source  what the monitor is handed
# finding      teams and projects: what there is, and stamps that tell whether it has changed
# watching     the system's news
# archive      teams that are put aside
# teams        Claude Code's config.json, and the folders of teams
# own_tasks    Claude Code's own tasks of a team, as lines
# task_file    tasks.jsonl: read, and changed as one change
# turns        to worker threads: one after the other, and for no longer than is fair
# access       files that somebody else may change, or put something else in the place of, at any moment
