"""The command line: one file a group of commands.  A thin client of a running server, except for `start`.

- the tree, and how a command ends: root.py
- what commands have in common: options.py, config_file.py, paths.py
- what they write, and how they follow a server: output.py, logs.py, follow.py, whole_file.py

A server, or a cluster of them on this machine:

- a server in this process: start.py
- `cluster`: cluster.py, local_cluster.py, server_process.py, cluster_wait.py, agreement.py
- a stopped server's data directory: check.py, recover.py

What is asked of a running one:

- server.py, members.py, member_watch.py, tags.py, raft.py, actors.py, keys.py
- kv.py, kv_answer.py, locks.py, backup.py, events.py
- top.py, monitor.py, console.py, debug.py

And: version.py, completion.py, tokens.py
"""
