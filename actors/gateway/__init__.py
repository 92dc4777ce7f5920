"""Requests from outside: clients over ZeroMQ, HTTP, and other servers' gateways.

- the actor, what gateways say to each other, how much is let in: gateway.py, messages.py, limits.py
- requests for data under way, who is asked, what is sent again: core.py, calls.py, effects.py
- questions that wait until something changes: watches.py
- why nobody leads; how long requests took: leaderless.py, latency.py

Operators' questions:

- the operations, what they take, and what they ask of the server: admin.py, arguments.py, control.py
- more of them: event_operations.py, metric_operations.py
- the longer answers: reports.py, info.py, metrics.py
- what clients follow: streams.py, log_tap.py

HTTP and the status page, which ask this gateway as any client does: http/
"""
