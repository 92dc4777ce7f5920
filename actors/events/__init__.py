"""What goes on in the cluster, for whoever watches, and commands that are run when it happens.

- the actor, and what it hears: events.py, messages.py
- Serf's events out of changes of members; what happens at once, handled at once: member_events.py, coalescing.py
- which commands are wanted, what they are told, and running them: handlers.py, runner.py
- events as watchers get them: rows.py
"""
