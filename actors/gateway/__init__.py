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

HTTP, which is a client of this gateway:

- the actor, its paths, and a handler for each: http.py, http_app.py, http_api.py; its address: http_address.py
- who gets in, for what: http_door.py, http_guard.py, http_tokens.py
- server-sent events, and the status page (page/): http_watch.py, http_page.py
- how it fails, and how often: http_error.py, http_counts.py
- its description, metrics as text, transactions as JSON: openapi.py, exposition.py, txn_json.py
"""
