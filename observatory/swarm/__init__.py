# What is known of the tasks of a swarm, and how that is found out: functions without a task of their own.
#
# pipeline     everything about the tasks of one project, from the bytes of its file
# figures      counts, what is stale, who gets into whose way, how far it is
# graph        what waits for what: waves, cycles, the critical path
# parsing      lines to tasks
# rewriting    lines with a task changed, and everything else as it was
# values       what all this is: frozen
